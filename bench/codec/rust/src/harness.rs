//! The frame of a peer's program, as harness.h: FOLDER SHAPE OPERATION PASSES.

use std::time::Duration;

pub struct Input {
    pub pb: Vec<u8>,
    #[allow(dead_code)] // not by prost
    pub json: Vec<u8>,
}

pub type Operation = Box<dyn FnMut(usize)>;

#[repr(C)]
struct Timespec {
    seconds: i64,
    nanos: i64,
}

extern "C" {
    fn clock_gettime(clock: i32, time: *mut Timespec) -> i32;
}

fn cpu_time() -> Duration {
    const CLOCK_PROCESS_CPUTIME_ID: i32 = 2;
    let mut time = Timespec { seconds: 0, nanos: 0 };
    assert_eq!(unsafe { clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &mut time) }, 0);
    Duration::new(time.seconds as u64, time.nanos as u32)
}

fn messages(path: String) -> Vec<Vec<u8>> {
    let bytes = std::fs::read(&path).expect(&path);
    let mut rest = &bytes[..];
    let mut all = Vec::new();
    while !rest.is_empty() {
        let len = u32::from_le_bytes(rest[..4].try_into().unwrap()) as usize;
        all.push(rest[4..4 + len].to_vec());
        rest = &rest[4 + len..];
    }
    all
}

#[no_mangle]
#[inline(never)]
pub extern "C" fn measured(operation: &mut Operation, count: usize, passes: u64) {
    for _ in 0..passes {
        for i in 0..count {
            operation(i);
        }
    }
}

pub fn run(prepare: fn(&str, &str, &'static [Input]) -> Option<Operation>) {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, folder, shape, operation, passes] = &arguments[..] else {
        panic!("usage: FOLDER SHAPE OPERATION PASSES");
    };
    let pb = messages(format!("{folder}/{shape}.pb"));
    let json = messages(format!("{folder}/{shape}.json"));
    let inputs: Vec<Input> = pb.into_iter().zip(json).map(|(pb, json)| Input { pb, json }).collect();
    let inputs: &'static [Input] = inputs.leak();
    let mut operation = prepare(shape, operation, inputs).expect("no such shape or operation");
    measured(&mut operation, inputs.len(), 1);
    let begin = cpu_time();
    measured(&mut operation, inputs.len(), passes.parse().unwrap());
    println!("{}", (cpu_time() - begin).as_nanos());
}
