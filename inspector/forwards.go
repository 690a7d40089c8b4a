package inspector

import (
	"context"
	"fmt"
	"slices"

	"github.com/hookrange/hookrange/inspector/api"
	"github.com/hookrange/hookrange/receiver/webhook"
)

// Forwards sends the new captures of endpoints on.
type Forwards interface {
	// CheckForward returns an ErrInvalid that says why a forward of an endpoint could not work, or nil.
	CheckForward(ctx context.Context, ep *webhook.Endpoint, forward *webhook.Forward) error
	// State returns how a forward does; the zero state for one that is off.
	State(ctx context.Context, ep *webhook.Endpoint, forward *webhook.Forward) (webhook.ForwardState, error)
}

// noForwards is a server that forwards nothing.
type noForwards struct{}

func (noForwards) CheckForward(context.Context, *webhook.Endpoint, *webhook.Forward) error {
	return fmt.Errorf("%w: this server forwards nothing", webhook.ErrInvalid)
}

func (noForwards) State(context.Context, *webhook.Endpoint, *webhook.Forward) (webhook.ForwardState, error) {
	return webhook.ForwardState{}, nil
}

// checkForwards checks the forwards that are not as they were: a target that went wrong meanwhile keeps nobody from
// changing something else.
func (s *Server) checkForwards(ctx context.Context, ep, stored *webhook.Endpoint) error {
	for i := range ep.Forwards {
		if stored != nil && slices.Contains(stored.Forwards, ep.Forwards[i]) {
			continue
		}
		if err := s.cfg.Forwards.CheckForward(ctx, ep, &ep.Forwards[i]); err != nil {
			return fmt.Errorf("forwards.%d: %w", i, err)
		}
	}
	return nil
}

func (s *Server) forwardStates(ctx context.Context, v *lens, ep *webhook.Endpoint, forms []api.Forward) error {
	for i := range forms {
		state, err := s.cfg.Forwards.State(ctx, ep, &ep.Forwards[i])
		if err != nil {
			return err
		}
		forms[i].State = v.ForwardState(&state)
	}
	return nil
}
