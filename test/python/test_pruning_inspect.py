"""What the zeros of a model fit, pictures of masks, and the pages and tables that show them."""

import base64
import io
import json
import re
import sys

import pytest
import torch
from PIL import Image
from torch import nn
from torch.nn.utils import prune as torch_prune
from typer.testing import CliRunner

import bcr
from bcr import ConfigError, PruneConfig, Pruner
from bcr.cli import app
from bcr.pruning import PruneReport, fit, inspect, mask_picture


def pruned(module, rate=8, block=(8, 32), **options):
    Pruner(module, PruneConfig(rate, block, **options)).finalize()
    return module


def conv(groups=1):
    torch.manual_seed(groups)
    return nn.Conv2d(32 * groups, 48, 3, groups=groups)


@pytest.mark.parametrize(
    ("scheme", "fits", "block"),
    [
        ("both", "both", (8, 32)),
        ("columns", "columns", (8, 288)),
        ("rows", "rows", (48, 32)),
        ("bsp", "columns", (8, 288)),
        ("block-punched", "block-punched 8x4", (8, 288)),
        ("pattern", "pattern", (1, 1)),
        ("2:4", "2:4", (1, 1)),
        ("1:8", "1:8", (1, 1)),
        ("filter", "filter", (48, 288)),
        ("channel", "channel", (48, 288)),
        ("unstructured", "unstructured", (1, 1)),
    ],
)
def test_a_scheme_is_recognised_by_its_zeros(scheme, fits, block):
    rate = {"2:4": 2}.get(scheme, 8)
    row = inspect(pruned(conv(), rate, scheme=scheme)).layer("")
    assert row.schemes == (fits,)
    assert row.block == block
    assert row.rate == pytest.approx(rate, rel=0.02)
    assert row.rate_stored == pytest.approx(row.rate)  # the best block stores no zero
    assert ("prune in blocks" in row.note) == (block == (1, 1))
    assert len(set(row.blocks)) == len(row.blocks) <= 3
    assert (1, 1) not in [b.block for b in row.blocks[1:]]  # single weights fit anything


def test_other_patterns():
    grouped = pruned(conv(groups=2), 4, scheme="channel")
    assert inspect(grouped).rows[0].schemes == ("channel",)
    both = pruned(conv(), 2, scheme="filter")
    with torch.no_grad():
        both.weight[:, 8:] = 0
    assert inspect(both).rows[0].schemes == ("filter and channel",)
    full = inspect(conv()).rows[0]
    assert (full.schemes, full.blocks, full.rate_stored, full.sparsity) == (("dense",), (), 1, 0)
    empty = conv()
    nn.init.zeros_(empty.weight)
    row = inspect(empty).rows[0]
    assert (row.schemes, row.sparsity, row.kept) == (("empty",), 1, 0)


@pytest.mark.parametrize("block", [(4, 16), (8, 64), (16, 36)])
def test_the_blocks_of_the_pruning_are_found(block):
    """Ragged at both edges, and with kept weights that are zero by chance."""
    torch.manual_seed(1)
    module = pruned(nn.Conv2d(37, 83, 3), 6, block)
    with torch.no_grad():
        module.weight.view(-1)[module.weight.view(-1).nonzero().flatten()[::500]] = 0
    row = inspect(module).rows[0]
    assert row.block == block
    assert 0.99 * row.rate < row.rate_stored < row.rate
    stored = sum(
        int((part != 0).any(dim=1).sum() * (part != 0).any(dim=0).sum())
        for strip in module.weight.detach().flatten(1).split(block[0])
        for part in strip.split(block[1], dim=1)
    )
    assert row.blocks[0].stored == stored


def test_large_layers_are_sampled(monkeypatch):
    torch.manual_seed(0)
    linear = pruned(nn.Linear(96, 1500), 4, (8, 32))
    expected = inspect(linear).rows[0].blocks[0]
    assert expected.block == (8, 32)
    monkeypatch.setattr(fit, "_SAMPLE", 1)
    assert inspect(linear).rows[0].blocks[0] == expected


def test_models_pruned_by_torch():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(8, 16, 3), nn.ReLU(), nn.Flatten(), nn.Linear(64, 32))
    torch_prune.ln_structured(model[0], "weight", 0.5, n=2, dim=0)
    torch_prune.l1_unstructured(model[3], "weight", 0.75)
    report = inspect(model)
    assert [(row.name, row.type, row.schemes, row.rate) for row in report.rows] == [
        ("0", "Conv2d", ("filter",), 2),
        ("3", "Linear", ("unstructured",), 4),
    ]
    before = {n: p.clone() for n, p in model.state_dict().items()}
    assert all(torch.equal(p, before[n]) for n, p in model.state_dict().items())
    state = inspect(model.state_dict())
    assert [(r.name, r.type, r.schemes, r.kept) for r in state.rows] == [
        ("0", "", ("filter",), 576),
        ("3", "", ("unstructured",), 512),
    ]
    for module in (model[0], model[3]):
        torch_prune.remove(module, "weight")
    assert inspect(model) == report


def test_weights_of_recurrent_modules():
    torch.manual_seed(0)
    model = nn.Sequential(nn.GRU(32, 24, bidirectional=True))
    torch_prune.l1_unstructured(model[0], "weight_hh_l0", 0.5)
    torch_prune.ln_structured(model[0], "weight_ih_l0_reverse", 0.25, n=2, dim=0)
    report = inspect(model)
    assert {row.name: row.schemes[0] for row in report.rows} == {
        "0.weight_ih_l0": "dense",
        "0.weight_hh_l0": "unstructured",
        "0.weight_ih_l0_reverse": "filter",
        "0.weight_hh_l0_reverse": "dense",
    }
    assert report.rows[0].type == "GRU"
    state = inspect(model.state_dict())
    assert {(r.name, r.kept) for r in state.rows} == {(r.name, r.kept) for r in report.rows}
    report = Pruner(model, PruneConfig(2, (8, 8), modules={"0.weight_hh_l0": None})).finalize()
    assert report.layer("0.weight_ih_l0").mask.sum() == 72 * 32 / 2


def test_shared_weights_are_looked_at_once():
    model = nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 8))
    model[1].weight = model[0].weight
    assert [row.name for row in inspect(model).rows] == ["0"]


def test_what_cannot_be_inspected():
    for model in (nn.ReLU(), {}, {"a.weight": torch.ones(3), "b.bias": torch.ones(3, 3)}):
        with pytest.raises(ConfigError, match="no weight to look at"):
            inspect(model)
    with pytest.raises(ConfigError, match="model is a int: pass a torch.nn.Module"):
        inspect(8)
    with pytest.raises(ConfigError, match="the report has no layer 'head'. Did you mean 'heads'"):
        inspect({"heads.weight": torch.ones(3, 3)}).layer("head")


def test_report_of_fits_as_table_and_plain_values():
    report = inspect(pruned(nn.Sequential(conv(), nn.Flatten(), nn.Linear(64, 40))))
    text = str(report)
    for word in ("48x32x3x3", "87.5%", "8.00x", "both", "8x32", "rate stored"):
        assert word in text
    plain = json.loads(json.dumps(report.to_dict()))
    assert plain["rows"][0]["blocks"][0] == {"block": [8, 32], "stored": 1728, "rate": 8}


def pixels(data):
    return Image.open(io.BytesIO(data)).convert("RGB")


def test_picture_of_a_mask(tmp_path):
    path = tmp_path / "mask.png"
    weight = torch.zeros(10, 20)
    weight[2, 5] = weight[9, 19] = -1
    mask_picture(weight, path)
    image = pixels(path.read_bytes())
    assert image.size == (400, 200)  # 20 pixels a weight
    dark = {(x // 20, y // 20) for x in range(400) for y in range(200)
            if image.getpixel((x, y)) == (31, 78, 121)}  # fmt: skip
    assert dark == {(5, 2), (19, 9)}
    mask_picture(weight, path, block=(5, 10))
    image = pixels(path.read_bytes())
    assert image.getpixel((200, 7)) == image.getpixel((7, 100)) == (214, 120, 40)
    assert image.getpixel((199, 99)) == (238, 240, 242)


def test_picture_of_a_large_layer_is_shrunk(tmp_path):
    weight = torch.zeros(4000, 300)
    weight[:2000] = 1
    mask_picture(weight, tmp_path / "a.png", block=(8, 64))
    image = pixels((tmp_path / "a.png").read_bytes())
    assert image.size == (100, 1334)
    assert image.getpixel((50, 100)) == (31, 78, 121)
    assert image.getpixel((50, 1200)) == (238, 240, 242)


def test_pictures_of_modules_and_rows(tmp_path):
    module = conv()
    torch_prune.ln_structured(module, "weight", 0.5, n=2, dim=0)
    mask_picture(module, tmp_path / "torch.png")
    plain = module.weight.detach().clone()
    mask_picture(plain, tmp_path / "plain.png")
    assert (tmp_path / "torch.png").read_bytes() == (tmp_path / "plain.png").read_bytes()
    inspect(plain_module(plain)).layer("").picture(tmp_path / "fit.png")
    assert pixels((tmp_path / "fit.png").read_bytes()).size == (288, 48)
    net = conv()
    report = Pruner(net, PruneConfig(8, (8, 32))).finalize()
    report.layer("").picture(tmp_path / "row.png")
    mask_picture(net, tmp_path / "module.png", block=(8, 32))
    assert (tmp_path / "row.png").read_bytes() == (tmp_path / "module.png").read_bytes()


def plain_module(weight):
    module = conv()
    with torch.no_grad():
        module.weight.copy_(weight)
    return module


def test_pictures_that_cannot_be(tmp_path, monkeypatch):
    with pytest.raises(ConfigError, match=r"a weight of shape \[3\] has no picture"):
        mask_picture(torch.ones(3), tmp_path / "a.png")
    with pytest.raises(ConfigError, match="the picture cannot be written"):
        mask_picture(torch.ones(3, 3), tmp_path / "none" / "a.png")
    report = Pruner(conv(), PruneConfig(8, (8, 32))).finalize()
    again = PruneReport.from_dict(report.to_dict())
    with pytest.raises(ConfigError, match="layer '' of this report has no mask"):
        again.layer("").picture(tmp_path / "a.png")
    monkeypatch.setitem(sys.modules, "PIL", None)
    for write in (report.to_html, report.layer("").picture):
        with pytest.raises(ConfigError, match=r"need Pillow.*pip install 'bcr\[pictures\]'"):
            write(tmp_path / "a.out")


def test_page_of_a_network(tmp_path):
    model = nn.Sequential(conv(), nn.Conv2d(48, 48, 3), nn.Flatten(), nn.Linear(64, 40))
    pruner = Pruner(model, PruneConfig(8, (8, 32), modules={"1": None}))
    report = pruner.finalize()
    report.to_html(tmp_path / "a.html")
    page = (tmp_path / "a.html").read_text()
    assert "48x32x3x3" in page
    assert "left dense by the configuration" in page
    images = re.findall(r'src="data:image/png;base64,([^"]+)"', page)
    assert len(images) == 2
    report.layer("0").picture(tmp_path / "0.png")
    assert base64.b64decode(images[0]) == (tmp_path / "0.png").read_bytes()
    assert not re.search(r'(src|href)="(?!data:)', page)

    state = pruner.state_dict()
    pruner.release()
    pruner.load_state_dict(state)  # the report of a resumed run has its pictures too
    pruner.finalize().to_html(tmp_path / "b.html")
    assert (tmp_path / "b.html").read_text() == page

    inspect(model).to_html(tmp_path / "fit.html")
    assert "<b>0</b> 48 x 288, both" in (tmp_path / "fit.html").read_text()
    inspect({"<&>.weight": torch.eye(8)}).to_html(tmp_path / "escaped.html")
    assert "&lt;&amp;&gt;" in (tmp_path / "escaped.html").read_text()
    with pytest.raises(ConfigError, match="the page cannot be written"):
        report.to_html(tmp_path / "none" / "a.html")


def test_progress_of_long_work(monkeypatch):
    """A bar on a terminal, nothing elsewhere; what is done stays the same."""
    shown = []

    class Terminal(io.StringIO):
        def isatty(self):
            return True

        def write(self, text):
            shown.append(text)
            return len(text)

    model = nn.Sequential(nn.Linear(16, 8), nn.Linear(8, 8))
    quiet = inspect(model)
    assert not shown
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setenv("TERM", "xterm")
    assert inspect(model) == quiet
    assert "look at zeros" in "".join(shown)
    shown.clear()
    monkeypatch.setattr("bcr.pruning.schemes.choose._LARGE", 100)
    assert len(Pruner(model, PruneConfig(2, (4, 4))).finalize().pruned) == 2
    assert "choose weights" in "".join(shown)


def test_latency_before_and_after():
    model = nn.Sequential(nn.Linear(64, 40), nn.Linear(40, 40))
    report = Pruner(model, PruneConfig(8, (8, 32))).finalize()
    assert "time before" not in str(report)
    timed = report.with_latency({"0": 4e-3, "1": 2e-3}).with_latency(after={"0": 1e-3})
    assert report.layer("0").seconds_before is None
    line = next(x for x in str(timed).splitlines() if x.startswith(" 0"))
    assert all(word in line for word in ("4 ms", "1 ms", "4.00x"))
    total = next(x for x in str(timed).splitlines() if "pruned layers" in x)
    assert "6 ms" in total  # what is not known of every layer is not summed up
    assert "2.00x" not in total
    assert PruneReport.from_dict(timed.to_dict()) == timed != report


@pytest.mark.parametrize("suffix", [".pt2", ".safetensors", ".pt"])
def test_command(tmp_path, suffix):
    from safetensors.torch import save_file

    model = nn.Sequential(pruned(nn.Linear(64, 40)))
    path = tmp_path / f"model{suffix}"
    if suffix == ".pt2":
        torch.export.save(torch.export.export(model, (torch.ones(2, 64),)), path)
    elif suffix == ".pt":
        torch.save(model.state_dict(), path)
    else:
        save_file(model.state_dict(), path)
    result = CliRunner().invoke(
        app, ["prune-report", str(path), "--html", str(tmp_path / "a.html")]
    )
    assert result.exit_code == 0, result.output
    assert "8x32" in result.output
    assert "40x64" in result.output
    assert "<b>0</b> 40 x 64" in (tmp_path / "a.html").read_text()


@pytest.mark.parametrize(
    ("name", "words"),
    [("no.pt2", "does not exist"), ("a.txt", "is no .pt2"), ("a.pt", "cannot be read")],
)
def test_command_refuses(tmp_path, name, words):
    if name != "no.pt2":
        (tmp_path / name).write_text("nothing")
    result = CliRunner().invoke(app, ["prune-report", str(tmp_path / name)])
    assert isinstance(result.exception, bcr.BCRError)
    assert words in str(result.exception)
