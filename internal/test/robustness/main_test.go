package robustness

import (
	"flag"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/go-ckpt/checkpoint/internal/test/testserver"
)

const usualSaves = 1000

var (
	proofDuration = flag.Duration("proof.duration", 0, "how long TestLinearizable works on each system; 0: its short form")
	proofKills    = flag.Int("proof.kills", 5, "how many processes TestKilled kills on each system")
	proofDamages  = flag.Int("proof.damages", 15, "how many damages TestDamaged does to each system")
	proofSaves    = flag.Int("proof.saves", usualSaves, "how many saves TestManySaves does at once")
	proofSoak     = flag.Duration("proof.soak", 0, "how long TestSoak works on each system; 0: a second")
	proofSeed     = flag.Uint64("proof.seed", 0, "the seed of random operations; 0: a random one")
)

func TestMain(m *testing.M) {
	os.Setenv("AWS_ACCESS_KEY_ID", "test") // DynamoDB Local takes any
	os.Setenv("AWS_SECRET_ACCESS_KEY", "test")
	if role := os.Getenv(childRole); role != "" {
		os.Exit(child(role))
	}
	flag.Set("rapid.checks", "25")
	flag.Set("rapid.nofailfile", "true")
	flag.Parse()
	testserver.Main(m)
}

// seedOf returns the seed of a test and logs how to repeat it.
func seedOf(t testing.TB) uint64 {
	seed := *proofSeed
	if seed == 0 {
		seed = rand.Uint64()>>1 | 1
	}
	t.Logf("seed: -proof.seed=%d", seed)
	return seed
}

// shortly is the time that a part of the short form may take.
func shortly(long, short time.Duration) time.Duration {
	if long > 0 {
		return long
	}
	return short
}
