"""What each table and figure of `attention_matching` shows."""

_COST = (
    "A cost is the mean over query tokens of the L1 distance between two heads' attention, from 0 (equal) to 2 "
    "(nowhere alike); padding is left out (with --legacy-padding it is a sum that is mostly padding). "
)
CAPTIONS = {
    "matched_cost": _COST + "Solid: mean over proteins of the cost of matched heads, each protein with the one-to-one "
    "matching that is best for it; band: ±1 standard deviation over proteins, mean over seeds. Dashed: the expected "
    "cost of shuffled heads; band: ±1 standard deviation of a shuffle of one protein's heads. Dotted: matched by the "
    "other half of the proteins. The solid line lies below the dashed one for any two encoders, being the best of all "
    "matchings; the dotted one does so only where heads correspond on proteins that did not choose the matching. "
    "Right: how much less than shuffled heads that costs; band: Student's 95 % interval over seeds, where there are "
    "several.",
    "matched_heads": "Share of the proteins in whose best matching two heads are a pair, all tokens; the lowest seeds. "
    "Rows are heads of the second encoder; columns, of the first, stand in the order of the one matching that is best "
    "for all proteins (its pairs are framed). A head that is matched with the same partner on every protein has a "
    "share of 1 there; chance is one over the number of heads.",
    "closeness": _COST + "Means over proteins and layers, then over seeds with Student's 95 % interval (low, high; "
    "none for one seed). saved_...: 1 - cost / cost of shuffled heads: of the best matching for each protein (matched, "
    "more than 0 for any two encoders), of one matching for all proteins, and of the matching by the other half of the "
    "proteins (crossfit). crossfit_z: distance from the mean of shuffled heads in standard deviations of one shuffle "
    "for all proteins. agreement: share of the proteins' pairs that are pairs of the one matching. Two things save a "
    "little for any two encoders: heads that look at few tokens cost less with one another than with heads that look "
    "at many; and where all proteins are variants of one (fluorescence), the other half is nearly the same protein. So "
    "a pair is to be compared with that of the random twin, in which both are at work too.",
    "by_layer": "Every metric of each layer (see the table layers): mean over seeds, Student's 95 % interval.",
    "partners": "The one matching that is best for all proteins, with the share of proteins whose own best matching "
    "has the pair; lowest seeds. Heads count from 0, layers from 1.",
    "costs": "Seconds, layer applications to one protein as counted while running, and the most bytes of attention "
    "maps held together; sum_bytes is all that is kept between batches but for the rows.",
}
