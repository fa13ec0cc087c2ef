package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"interop/gen"
)

// What both clients check, on this small view of a client.

type peer interface {
	read(ctx context.Context, request *gen.ReadRequest, header http.Header) answer
	setPoint(ctx context.Context, request *gen.SetPointRequest) (*gen.SetPointResponse, *failure)
	// watch calls take for each reading until it returns false; then it gives up the stream.
	watch(ctx context.Context, request *gen.WatchRequest, take func(*gen.Reading) bool) (http.Header, *failure)
	upload(ctx context.Context, readings []*gen.Reading) (*gen.UploadSummary, *failure)
	// exchange returns a function for each step: one command out, one result in; nil: close.
	exchange(ctx context.Context) func(*gen.Command) (*gen.CommandResult, error)
	// halfDuplex returns a function that sends, nil: the end, and one that receives: all is sent before.
	halfDuplex(ctx context.Context) (func(*gen.Command) error, func() (*gen.CommandResult, error))
	unknownMethod(ctx context.Context) *failure
	bidi() bool
}

type answer struct {
	reading         *gen.Reading
	header, trailer http.Header // with an error: perhaps all in one of them
	failed          *failure
}

func runChecks(p peer) int {
	status := 0
	check := func(name string, run func(ctx context.Context) error) {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := run(ctx); err != nil {
			fmt.Printf("FAIL %s: %v\n", name, err)
			status = 1
		} else {
			fmt.Println("PASS", name)
		}
	}
	boiler := func(ctx context.Context, size int) error {
		request := &gen.ReadRequest{Sensor: "boiler"}
		if size > 0 {
			request.Sensor = "echo " + strings.Repeat("\x00\n\"\u00df", size/5)
		}
		got := p.read(ctx, request, nil)
		if got.failed != nil {
			return got.failed
		}
		want, _ := read(ctx, request)
		if !proto.Equal(got.reading, want) {
			return fmt.Errorf("got a reading of %d bytes, other than wanted: %.300v", proto.Size(got.reading), got.reading)
		}
		return nil
	}

	check("unary", func(ctx context.Context) error { return boiler(ctx, 0) })
	check("unary-echo", func(ctx context.Context) error { return boiler(ctx, 64) })
	check("unary-1MiB", func(ctx context.Context) error { return boiler(ctx, 1<<20) })
	check("unary-32-at-once", func(ctx context.Context) error {
		var group sync.WaitGroup
		errs := make([]error, 32)
		for i := range errs {
			group.Add(1)
			go func() {
				defer group.Done()
				errs[i] = boiler(ctx, 4000)
			}()
		}
		group.Wait()
		return errors.Join(errs...)
	})
	check("set-point", func(ctx context.Context) error {
		name := fmt.Sprint("actuator-", time.Now().UnixNano())
		for _, step := range [][2]float64{{20, 50}, {50, 60}} {
			response, failed := p.setPoint(ctx, &gen.SetPointRequest{Actuator: name, Target: step[1]})
			if failed != nil {
				return failed
			}
			if response.Previous != step[0] || response.Target != step[1] {
				return fmt.Errorf("got %v, not %v", response, step)
			}
		}
		_, failed := p.setPoint(ctx, &gen.SetPointRequest{Actuator: "locked"})
		return failed.is("permission_denied", "locked", 0)
	})
	check("metadata", func(ctx context.Context) error {
		blob := "\x00\xff binary"
		request := http.Header{"X-Request-Id": {"id-7"}, "X-Blob-Bin": {blob}}
		got := p.read(ctx, &gen.ReadRequest{Sensor: "boiler"}, request)
		if got.failed != nil {
			return got.failed
		}
		return errors.Join(has(got.header, "X-Site", "north"), has(got.header, "X-Request-Id", "id-7"),
			has(got.trailer, "X-Source", "i2c"), has(got.trailer, "X-Blob-Bin", blob))
	})
	check("error", func(ctx context.Context) error {
		got := p.read(ctx, &gen.ReadRequest{Sensor: "missing"}, nil)
		if err := got.failed.is("not_found", "no sensor \"missing\" ÄÖ%", 7); err != nil {
			return err
		}
		if has(got.header, "X-Source", "i2c") != nil {
			return has(got.trailer, "X-Source", "i2c")
		}
		return nil
	})
	check("invalid-argument", func(ctx context.Context) error {
		return p.read(ctx, &gen.ReadRequest{Sensor: "?"}, nil).failed.is("invalid_argument", "", 0)
	})
	check("deadline", func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
		defer cancel()
		begin := time.Now()
		got := p.read(ctx, &gen.ReadRequest{Sensor: "slow"}, nil)
		if took := time.Since(begin); took > 1500*time.Millisecond {
			return fmt.Errorf("took %v", took)
		}
		return got.failed.is("deadline_exceeded", "", 0)
	})
	check("cancel", func(ctx context.Context) error {
		canceled, cancel := context.WithCancel(ctx)
		time.AfterFunc(100*time.Millisecond, cancel)
		if err := p.read(canceled, &gen.ReadRequest{Sensor: "slow"}, nil).failed.is("canceled", "", 0); err != nil {
			return err
		}
		return boiler(ctx, 0)
	})
	check("unimplemented", func(ctx context.Context) error {
		return p.unknownMethod(ctx).is("unimplemented", "", 0)
	})
	stream := func(ctx context.Context, request *gen.WatchRequest, want uint64) (http.Header, *failure, error) {
		var seen uint64
		var wrong error
		trailer, failed := p.watch(ctx, request, func(reading *gen.Reading) bool {
			if reading.Sequence != seen || reading.Sensor != request.Sensors[0] {
				wrong = fmt.Errorf("reading %d is %v", seen, reading)
			}
			seen++
			return seen < want || request.Count != 0
		})
		if wrong == nil && seen != want {
			wrong = fmt.Errorf("%d readings, not %d; %w", seen, want, failed.orNil())
		}
		return trailer, failed, wrong
	}
	for _, count := range []uint32{1, 5, 1000} {
		check(fmt.Sprint("watch-", count), func(ctx context.Context) error {
			trailer, failed, err := stream(ctx, &gen.WatchRequest{Sensors: []string{"boiler"}, Count: count}, uint64(count))
			if err == nil && failed != nil {
				return failed
			}
			return errors.Join(err, has(trailer, "X-Source", "i2c"))
		})
	}
	check("watch-fails", func(ctx context.Context) error {
		request := &gen.WatchRequest{Sensors: []string{"flaky"}, Count: 2}
		_, failed, err := stream(ctx, request, 2)
		return errors.Join(err, failed.is("data_loss", "sensor went away", 9))
	})
	check("watch-fails-at-once", func(ctx context.Context) error {
		request := &gen.WatchRequest{Sensors: []string{"flaky"}}
		_, failed, err := stream(ctx, request, 0)
		return errors.Join(err, failed.is("data_loss", "sensor went away", 9))
	})
	check("watch-left", func(ctx context.Context) error {
		_, _, err := stream(ctx, &gen.WatchRequest{Sensors: []string{"boiler"}, IntervalMs: proto.Uint32(5)}, 3)
		return errors.Join(err, boiler(ctx, 0))
	})
	check("upload", func(ctx context.Context) error {
		var readings []*gen.Reading
		for i := range 100 {
			readings = append(readings, &gen.Reading{Sensor: []string{"a", "b", "b", "b"}[i%4]})
		}
		summary, failed := p.upload(ctx, readings)
		if failed != nil {
			return failed
		}
		if summary.Taken != 100 || summary.PerSensor["a"] != 25 || summary.PerSensor["b"] != 75 {
			return fmt.Errorf("summary: %v", summary)
		}
		return nil
	})
	if !p.bidi() {
		return status
	}
	check("exchange-half-duplex", func(ctx context.Context) error {
		send, receive := p.halfDuplex(ctx)
		for i := range uint64(20) {
			if err := send(&gen.Command{Id: i}); err != nil {
				return err
			}
		}
		if err := send(nil); err != nil {
			return err
		}
		for i := range uint64(20) {
			if result, err := receive(); err != nil || result.Id != i {
				return fmt.Errorf("result %d: %v, %v", i, result, err)
			}
		}
		if _, err := receive(); !errors.Is(err, io.EOF) {
			return fmt.Errorf("after the last result: %v", err)
		}
		return nil
	})
	check("exchange", func(ctx context.Context) error {
		step := p.exchange(ctx)
		for i := range uint64(20) {
			result, err := step(&gen.Command{Id: i, Actuator: []string{"valve", "jammed"}[i%2]})
			if err != nil {
				return err
			}
			if result.Id != i || (result.Fault.GetCode() == 3) != (i%2 == 1) {
				return fmt.Errorf("result %d: %v", i, result)
			}
		}
		if _, err := step(nil); !errors.Is(err, io.EOF) {
			return fmt.Errorf("after the last command: %v", err)
		}
		return nil
	})
	return status
}

func (f *failure) Error() string {
	if f == nil {
		return "no error"
	}
	return fmt.Sprintf("%s: %q, detail %v", f.code, f.message, f.detail)
}

func (f *failure) orNil() error {
	if f == nil {
		return nil
	}
	return f
}

// is says how a failure differs from the one wanted. message "": any. detail: the code of a Fault; 0: none is wanted.
func (f *failure) is(code, message string, detail int32) error {
	if f == nil {
		return fmt.Errorf("no error, though %s was wanted", code)
	}
	if f.code != code || (message != "" && f.message != message) || f.detail.GetCode() != detail {
		return fmt.Errorf("got %v; wanted %s: %q, detail %d", f, code, message, detail)
	}
	return nil
}

func has(header http.Header, name, value string) error {
	if got := header.Get(name); got != value {
		return fmt.Errorf("%s is %q, not %q; all: %v", name, got, value, header)
	}
	return nil
}
