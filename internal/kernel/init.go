package kernel

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/evidence"
	"github.com/forgeone/forgeone/internal/brain"
	"github.com/forgeone/forgeone/internal/config"
	"github.com/forgeone/forgeone/internal/keys"
	"github.com/forgeone/forgeone/internal/policy"
	"github.com/forgeone/forgeone/internal/register"
	"github.com/forgeone/forgeone/internal/seal"
	"github.com/forgeone/forgeone/internal/sys"
)

// Names under which init puts the node's own keys into the keyring.
const (
	NodeKey      = "node"
	OperatorKey  = "operator"
	DeveloperKey = "developer"
)

// isControl tells which records may change what running guests are allowed: the
// log's shared counter moves with them.
func isControl(k abi.Kind) bool {
	switch k {
	case abi.KindKeyRemove, abi.KindKeyRevoke, abi.KindConfig, abi.KindPolicy, abi.KindPackageUninstall, abi.KindRevocations, abi.KindTrust, abi.KindRunStop:
		return true
	}
	return false
}

// Initialized tells what Init did.
type Initialized struct {
	Home    Home
	Made    bool // false: it was there, and is whole
	NodeKey seal.PublicKey
	LogKey  seal.PublicKey // of the log's current term
	Origin  string
}

// InitOptions say which state folder to make, and how.
type InitOptions struct {
	Home   string
	File   string // what errors call Text
	Text   []byte // the configuration; nil: the default one, or the one that is there
	Unlock string // file that opens the keys, where they are encrypted
	// Protect, if not zero, says with what the keys of a new folder are encrypted.
	Protect keys.Protection
	// Register is as in Options.
	Register string
}

// Init makes a state folder: keys, signed configuration, log, base policy. It
// may be repeated and interrupted: what is there stays, what is missing is
// made. Two processes that do this at once take turns.
func Init(ctx context.Context, o InitOptions) (*Initialized, error) {
	home, text := o.Home, o.Text
	h := Home(home)
	if h == "" {
		return nil, checkHome(home)
	}
	if text != nil {
		if _, err := config.Parse(o.File, text); err != nil {
			return nil, err
		}
	}
	for i, d := range h.folders() {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return nil, &abi.Error{Code: "F1-CFG-051", What: "the state folder can't be made", Where: d, Err: err, Hint: "forgeone init --home ANOTHER"}
		}
		if i == 0 { // before anything is put there
			if err := checkHome(home); err != nil {
				return nil, err
			}
		}
	}
	// Before there is anything in it that a guest might want.
	if err := noteHome(register.At(o.Register), h, o.Unlock, o.Protect.Passphrase); err != nil && !errors.Is(err, register.ErrNowhere) {
		return nil, err
	}
	lock, err := sys.Lock(h.path(".init"))
	if err != nil {
		return nil, unkept(h.path(".init"), err)
	}
	defer lock.Unlock()
	if err := keys.Sweep(h.Keys()); err != nil {
		return nil, err
	}
	segments, _ := filepath.Glob(filepath.Join(h.Log(), "*.seg")) // the pattern is well-formed
	logMade := len(segments) > 0
	vault, err := o.vault(h, logMade)
	if err != nil {
		return nil, err
	}
	open := vault.Open // a log without its keys must not get new ones
	if !logMade {
		open = vault.Ensure
	}
	local, err := open()
	if err != nil {
		return nil, err
	}
	if err := private(h, h.Keys()); err != nil {
		return nil, err
	}
	res := &Initialized{Home: h, NodeKey: local.Node.Public()}
	cfg, err := firstConfig(h, text, local, logMade)
	if err != nil {
		return nil, err
	}
	if !logMade {
		lo := evidence.Options{Dir: h.Log(), Origin: cfg.Origin(), Key: local.Log, Control: isControl}
		if err := evidence.Create(lo); err != nil {
			return nil, err
		}
	}
	ko := Options{Home: home, Unlock: o.Unlock, Modules: []string{ModEvidence}, Register: o.Register, vault: vault}
	k, err := Open(ctx, ko)
	if err != nil && !(text != nil && abi.CodeOf(err) == configNotInForce) {
		return nil, err
	}
	if err != nil {
		k, err = boot(ctx, unchecked(Graph()), ko)
		if err != nil {
			return nil, err
		}
	}
	defer k.Close(ctx)
	res.Origin, res.LogKey = k.log.Origin(), k.LogKey()
	if cfg, err = k.nextConfig(text, local); err != nil {
		return nil, err
	}
	if res.Made, err = k.found(ctx, local, cfg); err != nil {
		return nil, err
	}
	return res, settleConfig(h, local.Node.Public(), cfg.Digest())
}

// vault is that of the folder's keys; of a new folder it is protected if asked for.
func (o InitOptions) vault(h Home, logMade bool) (*keys.Vault, error) {
	if logMade || o.Protect == (keys.Protection{}) {
		v := keys.NewVault(h.Keys(), o.Unlock)
		if o.Protect != (keys.Protection{}) && !v.Protected() {
			return nil, &abi.Error{Code: abi.CodeKeySecret, What: "the keys are there already, in the clear", Where: h.Keys(), Hint: "forgeone key protect --passphrase-file FILE"}
		}
		return v, nil
	}
	return keys.NewProtected(h.Keys(), o.Unlock, o.Protect)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// A configuration is in force once the log names it. It is durable beside the one
// before it by then (config.next), and takes its place afterwards: whatever is
// interrupted, the one that the log names is there.

// firstConfig returns the configuration that lies in the state folder. It makes it
// where there is none, or none that can be read and text is to replace it, or where
// nothing is in force yet.
func firstConfig(h Home, text []byte, local *keys.Local, logMade bool) (*config.Config, error) {
	c, err := config.Load(h.Config(), local.Node.Public())
	switch {
	case err == nil && (logMade || text == nil):
		return c, nil
	case err != nil && text == nil && !errors.Is(err, fs.ErrNotExist) && exists(h.Config()):
		return nil, err
	}
	if text == nil {
		text = config.Default()
	}
	return config.Write(h.Config(), text, local.Node)
}

// nextConfig returns the configuration to be put in force: the present one, or text,
// which is written beside it then.
func (k *Kernel) nextConfig(text []byte, local *keys.Local) (*config.Config, error) {
	var inForce abi.Digest
	k.ledger.view(func(s *brain.State) { inForce = s.Config().Digest })
	if err := settleConfig(k.home, local.Node.Public(), inForce); err != nil {
		return nil, err
	}
	if text == nil || config.Digest(text) == k.config.Digest() {
		if err := os.Remove(k.home.NextConfig()); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, unkept(k.home.NextConfig(), err) // what never came to be in force
		}
		return k.config, nil
	}
	return config.Write(k.home.NextConfig(), text, local.Node)
}

// settleConfig puts the configuration that lies beside the present one in its place, if
// it is the one in force. The caller has the lock .init.
func settleConfig(h Home, node seal.PublicKey, inForce abi.Digest) error {
	c, err := config.Load(h.NextConfig(), node)
	if err != nil || c.Digest() != inForce {
		return nil //nolint:nilerr // there is none, or its writer died before it was in force
	}
	err = os.Rename(h.NextConfig(), h.Config())
	if err == nil {
		err = sys.OS{}.SyncDir(string(h))
	}
	if err != nil {
		return &abi.Error{Code: abi.CodeCfgWrite, What: "the configuration can't be put in its place", Where: h.Config(), Err: err, Hint: "forgeone init"}
	}
	return nil
}

// found records what a new state folder starts from, as far as the log lacks it.
func (k *Kernel) found(ctx context.Context, local *keys.Local, cfg *config.Config) (made bool, err error) {
	base := policy.Base()
	digest, err := k.keepPolicy([]policy.Source{base})
	if err != nil {
		return false, err
	}
	_, err = k.log.Update(ctx, func() (records []abi.Record, err error) {
		k.ledger.view(func(s *brain.State) {
			if s.Config().Version == 0 {
				for _, e := range ownKeys(local) {
					if _, ok := s.Key(e.ID); !ok {
						records = append(records, abi.Record{Body: &e})
					}
				}
			}
			if s.Config().Digest != cfg.Digest() {
				records = append(records, abi.Record{Body: &abi.Config{Digest: cfg.Digest(), Version: s.Config().Version + 1}})
			}
			if s.Policy().Digest != digest {
				records = append(records, abi.Record{Body: &abi.Policy{Epoch: s.Policy().Epoch + 1, Digest: digest}})
			}
		})
		made = len(records) > 0
		return records, nil
	})
	return made, err
}

// ownKeys are those that a new keyring begins with.
func ownKeys(local *keys.Local) []abi.KeyAdd {
	var list []abi.KeyAdd
	for _, own := range []struct {
		name string
		role abi.Role
		key  *seal.PrivateKey
	}{
		{NodeKey, abi.RoleNode, local.Node},
		{OperatorKey, abi.RoleOperator, local.Operator},
		{DeveloperKey, abi.RolePublisher, local.Developer},
	} {
		if own.key != nil {
			pub := own.key.Public()
			list = append(list, abi.KeyAdd{Name: own.name, Role: own.role, Alg: seal.Ed25519, Public: pub, ID: pub.ID(), Local: true})
		}
	}
	return list
}
