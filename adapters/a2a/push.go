package a2a

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"

	"github.com/a2aproject/a2a-go/v2/a2a"
	"github.com/a2aproject/a2a-go/v2/a2asrv/push"

	"github.com/go-ckpt/checkpoint"
)

// PushConfigs is a push.ConfigStore on a checkpoint store. Whose task it is, the
// server checks before.
type PushConfigs struct{ store *checkpoint.Store }

var _ push.ConfigStore = (*PushConfigs)(nil)

// NewPushConfigs returns a store of push configurations. They hold tokens and
// credentials: open the store with checkpoint.WithEncryption.
func NewPushConfigs(store *checkpoint.Store) *PushConfigs { return &PushConfigs{store} }

func pushPrefix(task a2a.TaskID) string { return "push/" + url.PathEscape(string(task)) + "/" }

func pushThread(task a2a.TaskID, id string) string { return pushPrefix(task) + url.PathEscape(id) }

// Save implements push.ConfigStore.
func (p *PushConfigs) Save(ctx context.Context, task a2a.TaskID, config *a2a.PushConfig) (*a2a.PushConfig, error) {
	if config == nil || config.URL == "" {
		return nil, fmt.Errorf("a2a: a push configuration needs a URL: %w", a2a.ErrInvalidParams)
	}
	if _, err := url.ParseRequestURI(config.URL); err != nil {
		return nil, fmt.Errorf("a2a: the URL of the push configuration cannot be read: %w", a2a.ErrInvalidParams)
	}
	saved := *config
	if config.Auth != nil {
		auth := *config.Auth
		saved.Auth = &auth
	}
	saved.TaskID = task
	if saved.ID == "" {
		saved.ID = rand.Text()
	}
	if _, err := p.store.Save(ctx, pushThread(task, saved.ID), saved); err != nil {
		return nil, err
	}
	return &saved, nil
}

// Get implements push.ConfigStore.
func (p *PushConfigs) Get(ctx context.Context, task a2a.TaskID, id string) (*a2a.PushConfig, error) {
	config := new(a2a.PushConfig)
	_, err := p.store.Load(ctx, pushThread(task, id), config)
	if errors.Is(err, checkpoint.ErrNotFound) {
		return nil, fmt.Errorf("a2a: push configuration %q: %w", id, push.ErrPushConfigNotFound)
	}
	if err != nil {
		return nil, err
	}
	return config, nil
}

// List implements push.ConfigStore, in the order of the ids.
func (p *PushConfigs) List(ctx context.Context, task a2a.TaskID) ([]*a2a.PushConfig, error) {
	configs := []*a2a.PushConfig{}
	for info, err := range p.store.List(ctx, checkpoint.ListOptions{Prefix: pushPrefix(task)}) {
		if err != nil {
			return nil, err
		}
		config := new(a2a.PushConfig)
		_, err := p.store.Load(ctx, info.Thread, config)
		if errors.Is(err, checkpoint.ErrNotFound) {
			continue // removed since it was listed
		}
		if err != nil {
			return nil, err
		}
		configs = append(configs, config)
	}
	return configs, nil
}

// Delete implements push.ConfigStore; nil where there is none.
func (p *PushConfigs) Delete(ctx context.Context, task a2a.TaskID, id string) error {
	return p.store.Delete(ctx, pushThread(task, id))
}

// DeleteAll implements push.ConfigStore.
func (p *PushConfigs) DeleteAll(ctx context.Context, task a2a.TaskID) error {
	_, err := p.store.DeletePrefix(ctx, pushPrefix(task))
	return err
}
