"""The command `bcr map`."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from bcr.errors import BCRError, ConfigError

_METHODS = ("budget", "rules", "search")


def map_command(
    model: Annotated[
        str, typer.Argument(help="module:function that returns the trained model and its inputs")
    ],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="the YAML recipe to write")
    ] = None,
    by: Annotated[
        str,
        typer.Option(
            help="budget: least harm; rules: schemes by rules, then least harm; search: trials"
        ),
    ] = "budget",
    latency: Annotated[
        list[float] | None, typer.Option(help="bound on a call, ms; a search takes several")
    ] = None,
    rate: Annotated[float | None, typer.Option(help="bound: weights by kept weights")] = None,
    flops: Annotated[float | None, typer.Option(help="bound: operations of a call")] = None,
    size: Annotated[float | None, typer.Option("--bytes", help="bound: packed weights")] = None,
    loss: Annotated[
        str | None,
        typer.Option(
            help="module:function from a model to its loss, for the sensitivity of layers; "
            "default: the projection error, which needs no data"
        ),
    ] = None,
    batches: Annotated[
        str | None,
        typer.Option(
            help="module:function that returns batches of inputs and classes, for the sensitivity "
            "of layers by curvature, in place of --loss"
        ),
    ] = None,
    evaluate: Annotated[
        str | None,
        typer.Option(help="module:function from a pruned model to its accuracy, for --by search"),
    ] = None,
    trials: Annotated[int, typer.Option(help="of a search, for each bound", min=1)] = 50,
    storage: Annotated[
        str | None,
        typer.Option(help="SQLite file or URL of a search that can go on, or be shared"),
    ] = None,
    pruner: Annotated[
        str, typer.Option(help="median or hyperband: how a search stops bad trials")
    ] = "median",
    scheme: Annotated[
        list[str] | None, typer.Option(help="schemes to try; default: columns and both")
    ] = None,
    block: Annotated[
        list[str] | None, typer.Option(help="blocks to try, such as 8x64; default: nine of them")
    ] = None,
    exclude: Annotated[list[str] | None, typer.Option(help="layers that stay dense")] = None,
    tolerance: Annotated[
        float, typer.Option(help="how much slower than the fastest a block may be", min=0.0)
    ] = 0.05,
    target: Annotated[str, typer.Option(help="what is measured; see `bcr compile`")] = "host",
    num_threads: Annotated[int, typer.Option(help="threads of a call", min=1)] = 1,
    table: Annotated[
        Path | None,
        typer.Option(help="file of the latency table; default: one in the user's cache folder"),
    ] = None,
    seconds: Annotated[
        float | None, typer.Option(help="time for measuring layers; default: what it takes")
    ] = None,
    method: Annotated[str, typer.Option(help="pruning method to write into the recipe")] = (
        "oneshot"
    ),
    plot: Annotated[
        Path | None, typer.Option(help="PNG of accuracy against latency, for --by search")
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="prune, compile and time what was found")
    ] = False,
    seed: Annotated[int, typer.Option(help="of a search", min=0)] = 0,
) -> None:
    """Choose scheme, block and rate of each layer of a model for a bound on the whole.

    Layers are measured in compiled code once for each machine and shape; Ctrl-C keeps what was
    measured.
    """
    if by not in _METHODS:
        raise ConfigError(f"--by {by}: choose one of {', '.join(_METHODS)}")
    if by == "search" and (evaluate is None or not latency):
        raise ConfigError("--by search needs --latency and --evaluate module:function")
    if by != "search" and len(latency or ()) > 1:
        raise ConfigError("several bounds need --by search")
    if loss is not None and batches is not None:
        raise ConfigError("--loss and --batches are two ways to judge a layer: give one")
    for path in (output, plot):
        if path is not None and not path.absolute().parent.is_dir():
            raise BCRError(f"cannot write {path}: the folder {path.parent} does not exist")
    network, inputs = _model(model)

    from bcr.mapping.allocation import SCHEMES, allocate
    from bcr.mapping.blocks import BLOCKS
    from bcr.mapping.budget import Budget
    from bcr.mapping.measured import MeasuredLatency
    from bcr.mapping.recipes import save_recipe
    from bcr.mapping.rules import map_by_rules
    from bcr.mapping.sensitivity import FisherLoss, LossIncrease

    source = MeasuredLatency(target, num_threads, path=table, seconds=seconds)
    options: dict[str, Any] = {
        "source": source,
        "blocks": [_block(text) for text in block] if block else BLOCKS,
        "sensitivity": LossIncrease(_function(loss)) if loss else None,
        "exclude": exclude or (),
        "method": method,
    }
    if batches is not None:
        options["sensitivity"] = FisherLoss(_function(batches)())
    schemes = scheme or SCHEMES
    if by == "search":
        from bcr.mapping.optuna_search import search
        from bcr.mapping.plot import plot_front

        assert latency is not None
        assert evaluate is not None
        found = search(
            network,
            inputs,
            _function(evaluate),
            [bound * 1e-3 for bound in latency],
            trials=trials,
            storage=storage,
            pruner=_pruner(pruner),
            schemes=schemes,
            seed=seed,
            **options,
        )
        print(found)
        if plot is not None:
            plot_front(found, plot)
        result = found.allocation()
    else:
        bound = latency[0] * 1e-3 if latency else None
        budget = Budget(
            rate=rate, flops=flops, bytes=size, latency=bound, target=target,
            num_threads=num_threads,
        )  # fmt: skip
        options["tolerance"] = tolerance
        if by == "rules":
            result = map_by_rules(network, inputs, budget, **options)
        else:
            result = allocate(network, inputs, budget, schemes=schemes, **options)
    print(result)
    if output is not None:
        save_recipe(result.config, output, f"bcr map {model} --by {by}")
        print(f"wrote {output}")
    if check:
        _check(network, inputs, result, source)


def merge_tables_command(
    files: Annotated[list[Path], typer.Argument(help="latency tables of one target")],
    output: Annotated[Path, typer.Option("-o", "--output", help="the file to write")],
) -> None:
    """Put latency tables together; of two times of one choice, that of more runs stays.

    For layers that were measured on several machines of one kind. A file that is there already
    takes part.
    """
    from bcr.mapping.table import LatencyTable

    merged, *others = [LatencyTable.load(file) for file in files]
    for other in others:
        merged.merge(other)
    merged.save(output)
    print(f"wrote {output}: {len(merged)} measurements")


def _check(network: Any, inputs: Sequence[Any], result: Any, source: Any) -> None:
    """Measure a network that is pruned so."""
    import copy

    from bcr.pruning import Pruner
    from bcr.tables import time_text

    pruned = copy.deepcopy(network)
    Pruner(pruned, result.config).finalize()
    seconds = source.network(pruned, inputs).seconds
    print(
        f"measured: {time_text(seconds)}; predicted: {time_text(result.after)}, "
        f"{result.after / seconds - 1:+.1%}"
    )


def _model(name: str) -> tuple[Any, tuple[Any, ...]]:
    """Return what `name` makes."""
    if name.endswith(".pt2"):
        raise ConfigError(
            f"{name}: an exported program has no modules that can be pruned; pass module:function "
            "that returns the nn.Module and a tuple of its inputs"
        )
    made = _function(name)()
    if not isinstance(made, tuple) or len(made) != 2 or not isinstance(made[1], (tuple, list)):
        raise ConfigError(f"{name} returns a model and a tuple of its inputs, got {type(made)}")
    return made[0], tuple(made[1])


def _function(name: str) -> Any:
    """Import `module:function`; the current folder is looked through too."""
    module, _, attribute = name.partition(":")
    if not module or not attribute:
        raise ConfigError(f"{name!r}: write module:function, such as training:make_model")
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        found = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"{name}: {error}") from None
    if not callable(found):
        raise ConfigError(f"{name} is a {type(found).__name__}, not a function")
    return found


def _block(text: str) -> Any:
    if text == "matrix":
        return text
    rows, _, columns = text.partition("x")
    if not (rows.isdigit() and columns.isdigit() and int(rows) and int(columns)):
        raise ConfigError(f"--block {text}: write rows by columns, such as 8x64, or matrix")
    return int(rows), int(columns)


def _pruner(name: str) -> Any:
    if name == "median":
        return None
    if name == "hyperband":
        import optuna

        return optuna.pruners.HyperbandPruner()
    raise ConfigError(f"--pruner {name}: choose median or hyperband")
