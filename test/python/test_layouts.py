"""What is copied between the layers of whole networks."""

import pytest
import torch

import bcr
import bcr.models


def copies(name, **options):
    model = bcr.models.get(name, **options).eval()
    (x,) = bcr.models.inputs(name, **options)
    exe = bcr.compile(model, (x,), verify=True)
    report = exe.report()
    copied = {
        layer.name for layer in report.layers if layer.input_copy_bytes or layer.output_copy_bytes
    }
    return copied, str(report)


@pytest.mark.parametrize(
    ("name", "first"), [("vgg16_cifar", "features.0"), ("mobilenet_v2_cifar", "features.0")]
)
def test_only_the_input_of_the_network_is_copied(name, first):
    copied, text = copies(name)
    assert copied <= {first}
    assert "copied into or out of the layout of a kernel: " + first in text


def test_residual_networks_copy_their_strided_shortcuts_and_rows_that_fill_no_vector():
    copied, _ = copies("resnet18_cifar")
    allowed = {"stem.0.0", "stages.3.0.body.0.0"}
    assert {name for name in copied if "shortcut" not in name} <= allowed


def test_nothing_is_copied_between_the_convolutions_of_resnet18():
    """224x224 at 8x, on a machine of the table: its strided shortcuts are read in place."""
    name = "resnet18"
    model = bcr.models.get(name).eval()
    bcr.Pruner(model, bcr.PruneConfig(rate=8, block=(8, 64), scheme="columns")).finalize()
    target = bcr.Target("x86_64-pc-linux-gnu", "znver5")
    report = bcr.compile(model, bcr.models.inputs(name), target=target).report()
    copied = {layer.name for layer in report.layers if layer.input_copy_bytes}
    assert copied == {"stem.0.0"}
    assert not any(layer.output_copy_bytes for layer in report.layers)


@pytest.mark.parametrize("side", [3, 9, 16, 31])
def test_padding_of_every_width_in_one_zone(side):
    """Convolutions with different padding share buffers; each reads its own zeros."""

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.first = torch.nn.Conv2d(2, 6, 1)
            self.wide = torch.nn.Conv2d(6, 6, 5, padding=2)
            self.tall = torch.nn.Conv2d(6, 6, (3, 1), padding=(1, 0))
            self.dilated = torch.nn.Conv2d(6, 6, 3, padding=1)
            self.down = torch.nn.Conv2d(6, 7, 3, padding=1, stride=2)

        def forward(self, x):
            x = self.first(x).relu()
            y = self.wide(x).sigmoid() + x
            return self.down(self.tall(y) + self.dilated(x))

    torch.manual_seed(side)
    model = Net().eval()
    bcr.compile(model, (torch.randn(2, 2, side, side + 1),), verify=True)


@pytest.mark.parametrize("threads", [1, 2])
def test_bands_of_large_images_are_fetched_and_long_weights_asked_for(threads):
    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.first = torch.nn.Conv2d(3, 200, 1)
            self.long = torch.nn.Conv2d(200, 40, 3, padding=1)

        def forward(self, x):
            return self.long(self.first(x).relu())

    torch.manual_seed(5)
    model = Net().eval()
    bcr.Pruner(
        model, bcr.PruneConfig(rate=4, block=(8, 200), scheme="columns", modules={"first": None})
    ).finalize()
    # 12 MB of input: more than any second cache of the table has.
    x = torch.randn(1, 3, 256, 60)
    exe = bcr.compile(model, (x,), verify=True, num_threads=threads)
    assert "inline_asm" in exe.mlir("loops")
    loops = bcr.compile(model, (x,), num_threads=threads, target="x86-64").mlir("loops")
    before, after = loops.split("get_global @long.values")
    assert "inline_asm" not in before
    assert "memref.prefetch" not in before
    assert "inline_asm" in after
    assert "memref.prefetch" in after
