"""Micro-batches of masked words and sentence order as built against the plain way.

The plain way is what the published code does: sample by sample and token by token on Python lists. It gets the same
random numbers, which are drawn before its clock starts, so both must give the same micro-batches; that is checked. (To
draw them as published, with a generator a sample and a call a word, would take the plain way ten times as long.) One
process, one thread; seconds are of the processor. Text is made: uniform ids, of which a fifth goes on with words. The
table also says how many samples a second one core makes, and which share of the positions is padding.

    python benchmarks/pretraining_data.py
"""

import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:] = [str(ROOT), *(place for place in sys.path if Path(place).resolve() != ROOT)]

from benchmarks.side_by_side import report  # noqa: E402  (follows the change of sys.path)
from tasks.deepscale.pretraining_text.batches import Batches  # noqa: E402
from tests.slow_pretraining import draws_of, plain_sample  # noqa: E402
from tests.tasks.deepscale.pretraining_text.made import V, padding_share, random_documents  # noqa: E402

STEPS, BATCH, LENGTHS = 8, 32, (128, 512)

Row = tuple[str, float, float, float]


def measure() -> list[Row]:
    documents = random_documents(400)
    rows = []
    for length in LENGTHS:
        # As published: no buckets, so that samples come in their own order.
        batches = Batches(documents, length=length, global_batch=BATCH, micro_batch=BATCH, seed=0, buckets=False)
        chosen = batches.samples.take(0, STEPS * BATCH)
        draws = [draws_of(chosen, i, V) for i in range(len(chosen))]
        clock = time.process_time()
        wanted = [plain_sample(documents, chosen, i, drawn) for i, drawn in enumerate(draws)]
        plain = time.process_time() - clock
        list(batches.micro_batches(STEPS))  # what the first call costs
        clock = time.process_time()
        found = [batch for step in range(STEPS) for batch in batches.micro_batches(step)]
        built = time.process_time() - clock
        apart = 0
        for i, (seen, labels, swapped, _) in enumerate(wanted):
            batch, row = found[i // BATCH], i % BATCH
            here = batch.positions // length == row
            same = batch.input_ids[row, : len(seen)].tolist() == seen and int(batch.order[row]) == swapped
            places = (batch.positions[here] % length).tolist()
            apart += not (same and dict(zip(places, batch.labels[here].tolist(), strict=True)) == labels)
        full = padding_share(batches)
        bucketed = padding_share(Batches(documents, length=length, global_batch=BATCH, micro_batch=8, seed=0))
        what = f"{len(chosen)} samples of up to {length} tokens; {len(chosen) / built:,.0f} a second"
        rows.append((f"{what}; padding {full:.1%}, in buckets {bucketed:.1%}", plain, built, float(apart)))
    return rows


if __name__ == "__main__":
    report(__doc__ or "", {"data": "benchmarks.pretraining_data"}, 0.5)
