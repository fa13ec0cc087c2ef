package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

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
	targets map[string]float64
}{targets: map[string]float64{}}

func read(ctx context.Context, request *gen.ReadRequest) (*gen.Reading, *failure) {
	switch {
	case request.Sensor == "boiler" || strings.HasPrefix(request.Sensor, "echo "):
	case request.Sensor == "slow":
		select {
		case <-time.After(2 * time.Second):
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				return nil, &failure{code: "deadline_exceeded", message: "too slow"}
			}
			return nil, &failure{code: "canceled", message: "nobody waits"}
		}
	case request.Sensor == "missing":
		return nil, &failure{"not_found", "no sensor \"missing\" ÄÖ%", &gen.Fault{Code: 7, Reason: "no such sensor"}}
	default:
		return nil, &failure{code: "invalid_argument", message: fmt.Sprintf("what is %.40q?", request.Sensor)}
	}
	reading := &gen.Reading{
		Sensor:  request.Sensor,
		TakenAt: &timestamppb.Timestamp{Seconds: 1767323045, Nanos: 500000000},
		Celsius: proto.Float64(61.5),
		Quality: gen.Quality_QUALITY_GOOD,
		Tags:    []string{"roof", "north"},
		Labels:  map[string]string{"site": "1"},
		Payload: &gen.Reading_Text{Text: "steady"},
	}
	if strings.HasPrefix(request.Sensor, "echo ") {
		reading.RawFrame = []byte(request.Sensor)
	}
	return reading, nil
}

func watch(ctx context.Context, request *gen.WatchRequest, send func(*gen.Reading) error) *failure {
	sensor := strings.Join(request.Sensors, ",")
	for i := uint32(0); ; i++ {
		if sensor == "flaky" && i == request.Count {
			return &failure{"data_loss", "sensor went away", &gen.Fault{Code: 9}}
		}
		if request.Count != 0 && i == request.Count {
			return nil
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
		reading := &gen.Reading{Sensor: sensor, Sequence: uint64(i), Celsius: proto.Float64(60)}
		if err := send(reading); err != nil {
			return &failure{code: "canceled", message: err.Error()}
		}
	}
}

func setPoint(request *gen.SetPointRequest) (*gen.SetPointResponse, *failure) {
	if request.Actuator == "locked" {
		return nil, &failure{code: "permission_denied", message: "locked"}
	}
	setPoints.Lock()
	defer setPoints.Unlock()
	previous, known := setPoints.targets[request.Actuator]
	if !known {
		previous = 20
	}
	setPoints.targets[request.Actuator] = request.Target
	return &gen.SetPointResponse{Previous: previous, Target: request.Target}, nil
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
