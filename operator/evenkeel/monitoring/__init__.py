"""Whether what a model is asked, answers and gets wrong is still what it was made for. Pure.

    columns = [Column("feature", "colour", (Bin("0", "red", 70), Bin("1", "blue", 30),
                                            Bin("other", "unseen", 0), Bin("missing", "", 3))), ...]
    detection = Detection.begun(columns, Settings(tolerance=0.05, max_ratio=0.2))
    detection = detection.fold(Block({("feature", "colour"): {"0": 65, "1": 35}}, Labels(3, 40)))
    text = detection.to_text()  # for the status
    detection = Detection.from_text(text, columns, settings)  # ValueError: damaged, or not of these
    for group in detection.groups:  # Data, Prediction, Missing, Unseen, Risk
        group.name, group.drifted, group.log_statistic, group.log_threshold, group.features

A Column is the reference of one feature or prediction: the profile's counts by the labels of its
bins, whatever rows they came of (`columns.py`). Settings are those of the ModelDeployment
(`settings.py`). A Block is what was counted in one window of `block_seconds` (`columns.py`): bins
that are left out had no rows, a column that is left out is no evidence, and one that the reference
does not have is passed over. `fold` raises ValueError for counts below 0, for bins that a column's
reference does not have, and for more bad labels than labels.

Which group there is follows from columns and settings: those without a histogram are not listed
and take no share of the bound on false alarms. `drifted` lasts until the evidence is gone, so the
caller keeps since when (`detector.py`). `detection.blocks` and `detection.void` count what was
folded, `void` those of them that told nothing.

docs/monitoring-statistics.md has what is claimed, the proofs, and the figures.
"""
