"""The runs of a system: seeds of their own, sizes for a quick table or a full one."""

from sitesampler import models
from sitesampler.verification import Runs


def test_every_run_has_a_seed_of_its_own_and_the_full_table_larger_sizes() -> None:
    quick, full = Runs("goe_flow", seed=1), Runs("goe_flow", seed=1, quick=False)
    seeds = [quick.next_seed() for _ in range(3)]
    assert len(set(seeds)) == 3 and seeds == [full.next_seed() for _ in range(3)]
    assert Runs("random_rnn", seed=1).next_seed() != seeds[0] != Runs("goe_flow", seed=2).next_seed()
    ds = quick.networks(models.goe_flow, 10, 4, dt=0.5, duration=1.0)
    assert (ds.attrs["kind"], ds.attrs["replicas"]) == ("simulation, N = 10 and 20", 4)
    ds = full.networks(models.goe_flow, 10, 4, dt=0.5, duration=1.0)
    assert (ds.attrs["kind"], ds.attrs["replicas"]) == ("simulation, N = 20 and 40", 12)
