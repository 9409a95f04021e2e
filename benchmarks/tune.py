"""The no-op sweep of `benchmarks.noop` through Ray Tune, for comparison: `python -m benchmarks.tune 100 off`.

Function trainables over one grid, on a Ray of two CPU slots that it starts. It prints the seconds of `Tuner.fit`.
"""

import sys
import tempfile
import time


def noop(config):
    """Report the trial's number."""
    from ray import tune

    tune.report({"value": float(config["number"])})


def fit(trials: int, reuse_actors: bool) -> float:
    """Seconds for one grid of so many trials."""
    import ray
    from ray import tune

    with tempfile.TemporaryDirectory() as out:
        ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False)
        tuner = tune.Tuner(
            noop,
            param_space={"number": tune.grid_search(list(range(trials)))},
            tune_config=tune.TuneConfig(reuse_actors=reuse_actors),
            run_config=tune.RunConfig(storage_path=out, verbose=0),
        )
        began = time.perf_counter()
        results = tuner.fit()
        took = time.perf_counter() - began
        values = sorted(result.metrics["value"] for result in results if result.metrics)
        ray.shutdown()
    if values != list(map(float, range(trials))):
        raise RuntimeError(f"{trials} trials gave {len(values)} results")
    return took


if __name__ == "__main__":
    print(fit(int(sys.argv[1]), sys.argv[2] == "on"))
