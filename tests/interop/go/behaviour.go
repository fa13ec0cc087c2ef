package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"interop/gen"
)

// The behaviours of ../README.md, without a word of any RPC library.

type failure struct {
	code    string
	message string
	detail  *gen.Fault
}

var setPoints = struct {
	sync.Mutex
	celsius map[string]float64
}{celsius: map[string]float64{}}

func read(ctx context.Context, request *gen.ReadRequest) (*gen.Reading, *failure) {
	switch request.Sensor {
	case "boiler":
	case "slow":
		select {
		case <-time.After(2 * time.Second):
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				return nil, &failure{code: "deadline_exceeded", message: "too slow"}
			}
			return nil, &failure{code: "canceled", message: "nobody waits"}
		}
	case "missing":
		return nil, &failure{"not_found", "no sensor \"missing\" ÄÖ%", &gen.Fault{Code: 7, Reason: "no such sensor"}}
	default:
		return nil, &failure{code: "invalid_argument", message: fmt.Sprintf("what is %q?", request.Sensor)}
	}
	reading := &gen.Reading{
		Sensor:  request.Sensor,
		Celsius: proto.Float64(61.5),
		Quality: gen.Quality_QUALITY_GOOD,
		Tags:    []string{"roof", "north"},
		Labels:  map[string]string{"site": "1"},
		Payload: &gen.Reading_Text{Text: "steady"},
	}
	if len(request.Echo) > 0 {
		reading.RawFrame = request.Echo
	}
	return reading, nil
}

func watch(ctx context.Context, request *gen.WatchRequest, send func(*gen.Reading) error) *failure {
	for i := uint32(0); request.Count == 0 || i < request.Count; i++ {
		if request.FailAfter != nil && i == *request.FailAfter {
			return &failure{"data_loss", "sensor went away", &gen.Fault{Code: 9}}
		}
		if i > 0 && request.IntervalMs != nil {
			select {
			case <-time.After(time.Duration(*request.IntervalMs) * time.Millisecond):
			case <-ctx.Done():
			}
		}
		if ctx.Err() != nil {
			return &failure{code: "canceled", message: "nobody watches"}
		}
		reading := &gen.Reading{Sensor: request.Sensor, Sequence: uint64(i), Celsius: proto.Float64(60)}
		if err := send(reading); err != nil {
			return &failure{code: "canceled", message: err.Error()}
		}
	}
	return nil
}

func setPoint(request *gen.SetPointRequest) (*gen.SetPointResponse, *failure) {
	if request.Controller == "locked" {
		return nil, &failure{code: "permission_denied", message: "locked"}
	}
	setPoints.Lock()
	defer setPoints.Unlock()
	previous, known := setPoints.celsius[request.Controller]
	if !known {
		previous = 20
	}
	setPoints.celsius[request.Controller] = request.Celsius
	return &gen.SetPointResponse{PreviousCelsius: previous}, nil
}

func upload(next func() (*gen.Reading, error)) (*gen.UploadSummary, error) {
	summary := &gen.UploadSummary{PerSensor: map[string]uint64{}}
	for {
		reading, err := next()
		if reading == nil {
			return summary, err
		}
		summary.Taken++
		summary.PerSensor[reading.Sensor]++
	}
}

func exchange(command *gen.Command) *gen.CommandResult {
	result := &gen.CommandResult{Id: command.Id}
	if command.Actuator == "jammed" {
		result.Fault = &gen.Fault{Code: 3, Reason: "jammed"}
	}
	return result
}
