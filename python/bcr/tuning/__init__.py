"""Finding the fastest schedule of each layer by measuring it, and keeping what was found.

`bcr.compile(..., tune=...)` is the usual way in. The cost model of the compiler ranks the
schedules of a layer (`bcr-tile`); here the layer is compiled alone with those that rank well and
with what Optuna proposes, each is timed against the model's choice, and the winners go to a record
file that any later compilation for the same machine can use.
"""

from __future__ import annotations

from bcr.tuning.config import TuneConfig
from bcr.tuning.records import LayerRecord, TuningRecords

__all__ = ["LayerRecord", "TuneConfig", "TuningRecords"]
