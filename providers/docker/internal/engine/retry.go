package engine

import (
	"context"
	"errors"
	"time"
)

// retry runs call, and runs it again after a pause while again says of its error
// that this may help and is safe. The error that remains gets its kind.
func retry[T any](ctx context.Context, e *Engine, op string, again func(error) bool, call func() (T, error)) (T, error) {
	for try := 0; ; try++ {
		result, err := call()
		if err == nil {
			return result, nil
		}
		if try >= len(e.pauses) || errors.Is(err, context.Canceled) || ctx.Err() != nil || !again(err) {
			var none T
			return none, e.fail(op, err)
		}
		select {
		case <-time.After(e.pauses[try]):
		case <-ctx.Done():
		}
	}
}

// do is retry for calls without a result.
func (e *Engine) do(ctx context.Context, op string, again func(error) bool, call func() error) error {
	_, err := retry(ctx, e, op, again, func() (struct{}, error) { return struct{}{}, call() })
	return err
}
