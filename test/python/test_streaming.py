"""Models that are called frame by frame and keep their state."""

import threading

import numpy as np
import pytest
import torch
from torch import nn

import bcr


class Model(nn.Module):
    """Two recurrent layers; the new states stand before the result."""

    def __init__(self):
        super().__init__()
        self.first = nn.GRUCell(6, 11)
        self.second = nn.LSTM(11, 9)
        self.head = nn.Linear(9, 4)

    def forward(self, x, h, cell):
        h = self.first(x, h)
        y, cell = self.second(h[None], cell)
        return {"states": (h, *cell), "y": self.head(y[0]), "twice": 2 * h}


STATES = {"h": 0, "cell_0": 1, "cell_1": 2}


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return Model().eval()


@pytest.fixture(scope="module")
def exe(model):
    return bcr.compile(model, arguments(torch.zeros(2, 6)))


def arguments(x, batch=2):
    return x, torch.zeros(batch, 11), (torch.zeros(1, batch, 9), torch.zeros(1, batch, 9))


def frames(seed, count=20):
    return torch.randn(count, 2, 6, generator=torch.Generator().manual_seed(seed))


def expected(model, sequence, h=None):
    _, h0, cell = arguments(sequence[0])
    h = h0 if h is None else h
    results = []
    with torch.no_grad():
        for x in sequence:
            out = model(x, h, cell)
            h, *cell = out["states"]
            results.append((out["y"], out["twice"]))
    return results


def run(stream, sequence):
    return [tuple(part.clone() for part in stream(x)) for x in sequence]


def assert_close(got, want):
    for a, b in zip(got, want, strict=True):
        for left, right in zip(a, b, strict=True):
            torch.testing.assert_close(left, right, rtol=0, atol=1e-5)


@pytest.mark.parametrize("reuse", [False, True])
def test_state_goes_from_call_to_call_until_reset(exe, model, reuse):
    stream = exe.stream(STATES, reuse=reuse)
    sequence = frames(1)
    assert_close(run(stream, sequence), expected(model, sequence))
    assert not torch.allclose(stream(sequence[0])[0], expected(model, sequence)[0][0], atol=1e-5)
    stream.reset()
    assert_close(run(stream, sequence[:3]), expected(model, sequence[:3]))
    exe.reset()
    assert not any(value.any() for value in stream.state.values())


def test_results_are_new_unless_reused(exe):
    sequence = frames(2)
    fresh, reused = exe.stream(STATES), exe.stream(STATES, reuse=True)
    first, again = fresh(sequence[0])[0], reused(sequence[0])[0]
    kept = first.clone()
    assert fresh(sequence[1])[0] is not first
    assert torch.equal(first, kept)
    assert reused(sequence[1])[0] is again
    assert not torch.equal(again, kept)


def test_reused_results_follow_the_kind_of_the_inputs(exe, model):
    sequence = frames(7)
    stream, results = exe.stream(STATES, reuse=True), []
    kinds = "nnnttnnntnntntttnnnn"
    for kind, x in zip(kinds, sequence):
        y, twice = stream(x if kind == "t" else x.numpy())
        assert isinstance(y, torch.Tensor if kind == "t" else np.ndarray)
        results.append((torch.as_tensor(y).clone(), torch.as_tensor(twice).clone()))
        with pytest.raises(bcr.InputError, match="takes 1 inputs"):
            stream(x.numpy(), x.numpy())
        with pytest.raises(bcr.InputError):
            stream(x.numpy()[:, :3])
    assert_close(results, expected(model, sequence))


def test_streams_are_independent_and_run_in_threads(exe, model):
    sequences = [frames(seed, 50) for seed in range(4)]
    streams = [exe.stream(STATES) for _ in sequences]
    results = [None] * 4

    def work(i):
        results[i] = run(streams[i], sequences[i])

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for got, sequence in zip(results, sequences):
        assert_close(got, expected(model, sequence))


def test_threads_wait_for_each_other_in_one_stream():
    class Count(nn.Module):
        def forward(self, x, n):
            return n + x, n + x.sum()

    exe = bcr.compile(Count(), (torch.zeros(3), torch.zeros(1)))
    stream = exe.stream({"n": 1}, reuse=True)
    one = np.array([1, 0, 0], np.float32)

    def work():
        for _ in range(500):
            stream(one)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(50):
        assert 0 <= stream.state["n"][0] <= 2000
    for thread in threads:
        thread.join()
    assert stream.state["n"][0] == 2000


def test_state_can_be_given_read_and_moved(exe, model):
    sequence = frames(3)
    h = torch.randn(2, 11, generator=torch.Generator().manual_seed(9))
    stream = exe.stream(STATES, initial={"h": h})
    want = expected(model, sequence, h)
    assert_close(run(stream, sequence[:7]), want[:7])
    other = exe.stream({0 + 1: 0, "cell_0": 1, "cell_1": 2})
    other.state = stream.state
    assert_close(run(other, sequence[7:]), want[7:])
    stream.reset()
    assert np.array_equal(stream.state["h"], h.numpy())
    stream.reset({"h": np.zeros((2, 11), np.float32)})
    assert_close(run(stream, sequence), expected(model, sequence))


def test_numpy_in_numpy_out_and_inputs_by_name(exe, model):
    stream = exe.stream(STATES)
    x = frames(4)[0]
    y, twice = stream(x=x.numpy())
    assert isinstance(y, np.ndarray)
    assert_close([(torch.from_numpy(y), torch.from_numpy(twice))], expected(model, x[None]))


@pytest.mark.parametrize("reuse", [False, True])
def test_kinds_of_input_may_change_from_call_to_call(exe, model, reuse):
    stream = exe.stream(STATES, reuse=reuse)
    sequence = frames(6, 8)
    kinds = [
        lambda x: x.numpy(),
        lambda x: x,
        lambda x: np.asfortranarray(x.numpy()),
        lambda x: x.T.contiguous().T,
        lambda x: x.numpy(),
        lambda x: x,
        lambda x: np.repeat(x.numpy(), 2, axis=1)[:, ::2],
        lambda x: x.numpy(),
    ]
    got = []
    for kind, x in zip(kinds, sequence, strict=True):
        value = kind(x)
        results = stream(value)
        assert all(type(part) is type(value) for part in results)
        got.append([torch.as_tensor(part).clone() for part in results])
    assert_close(got, expected(model, sequence))
    with pytest.raises(bcr.InputError, match="dtype float64"):
        stream(sequence[0].numpy().astype(np.float64))
    with pytest.raises(bcr.InputError, match="x"):
        stream(sequence[0].numpy()[:1])


def test_a_loaded_model_streams(exe, model, tmp_path):
    exe.save(tmp_path / "model.bcr")
    stream = bcr.load(tmp_path / "model.bcr").stream(STATES)
    sequence = frames(5)
    assert_close(run(stream, sequence), expected(model, sequence))


def test_sizes_that_a_call_chooses():
    torch.manual_seed(1)
    gru = nn.GRU(3, 5).eval()
    dims = {"input": {0: torch.export.Dim("T"), 1: torch.export.Dim("N")}}
    dims["hx"] = {1: dims["input"][1]}
    exe = bcr.compile(gru, (torch.zeros(4, 2, 3), torch.zeros(1, 2, 5)), dynamic_shapes=dims)
    with pytest.raises(bcr.ConfigError, match=r"hx has sizes that are not fixed \(1, N, 5\)"):
        exe.stream({"hx": 1})
    stream = exe.stream({"hx": 1}, initial={"hx": torch.zeros(1, 3, 5)})
    x = torch.randn(9, 3, 3)
    got = torch.cat([stream(x[:2]), stream(x[2:3]), stream(x[3:])])
    with torch.no_grad():
        torch.testing.assert_close(got, gru(x)[0], rtol=0, atol=1e-5)
    with pytest.raises(bcr.InputError, match="N is 3 in another input"):
        stream(torch.zeros(2, 4, 3))


@pytest.mark.parametrize("like", [torch.tensor, np.array])
def test_a_failing_call_leaves_the_state(like):
    class Words(nn.Module):
        def __init__(self):
            super().__init__()
            self.words = nn.Embedding(10, 4)
            self.cell = nn.GRUCell(4, 4)

        def forward(self, word, h):
            return self.cell(self.words(word), h)

    exe = bcr.compile(Words().eval(), (torch.tensor([3]), torch.zeros(1, 4)))
    stream = exe.stream({"h": 0}, reuse=True)
    for _ in range(4):
        assert stream(like([3])) is None, "the only result is the state"
    before = stream.state["h"]
    assert before.any()
    with pytest.raises(bcr.InputError, match="index out of range"):
        stream(like([10]))
    with pytest.raises(bcr.InputError, match=r"takes 1 inputs \(word\), not 2"):
        stream(torch.tensor([3]), torch.zeros(1, 4))
    assert np.array_equal(stream.state["h"], before)
    stream(like([4]))
    assert not np.array_equal(stream.state["h"], before)


@pytest.mark.parametrize(
    ("state", "initial", "message"),
    [
        ({"hh": 0}, None, "names the input 'hh'; the model's inputs are x, h, cell_0, cell_1"),
        ({"h": 5}, None, "names the result 5; the model returns 5 tensors"),
        ({"h": 3}, None, r"float32\(2, 11\), the result that should follow it is float32\(2, 4\)"),
        ({"h": 0, 1: 4}, None, "has an input or a result twice"),
        ({}, None, "state= is empty"),
        ({"h": 0}, {"x": np.zeros((2, 6))}, "initial= has x, which is no state"),
    ],
)
def test_a_state_that_does_not_fit_is_refused(exe, state, initial, message):
    with pytest.raises(bcr.ConfigError, match=message):
        exe.stream(state, initial)


def test_values_that_do_not_fit_are_refused(exe):
    with pytest.raises(bcr.InputError, match=r"the state h is float32\[2, 11\], got float64"):
        exe.stream(STATES, {"h": np.zeros((2, 11))})
    stream = exe.stream(STATES)
    with pytest.raises(bcr.InputError, match=r"x has shape \(3, 6\), the model takes \(2, 6\)"):
        stream(torch.zeros(3, 6))
    with pytest.raises(bcr.InputError, match="no input y"):
        stream(torch.zeros(2, 6), y=torch.zeros(1))
    with pytest.raises(bcr.ConfigError, match="y is no state of this stream"):
        stream.reset({"y": torch.zeros(1)})


def test_an_error_leaves_no_address_behind():
    class Two(nn.Module):
        def forward(self, x, y, h):
            return x + y, h + 1

    exe = bcr.compile(Two(), (torch.zeros(4), torch.zeros(4), torch.zeros(4)))
    stream = exe.stream({"h": 1})
    with pytest.raises(bcr.InputError, match="y"):
        stream(torch.full((4,), 7.0), torch.zeros(4, dtype=torch.int64))
    got = stream(np.full(4, 2, np.float32), np.full(4, 2, np.float32))
    np.testing.assert_array_equal(got, 4)


@pytest.mark.parametrize("calls", [0, 4])
def test_other_elements_of_four_bytes_are_refused(exe, calls):
    stream = exe.stream(STATES, reuse=True)
    for _ in range(calls):
        stream(np.zeros((2, 6), np.float32))
    with pytest.raises(bcr.InputError, match=r"order of another machine.*astype"):
        stream(np.zeros((2, 6), ">f4"))
    with pytest.raises(bcr.InputError, match="dtype int32"):
        stream(np.zeros((2, 6), np.int32))
    with pytest.raises(bcr.InputError, match="is a list"):
        stream([[0.0] * 6] * 2)
    with pytest.raises(bcr.InputError, match=r"shape \(6, 2\)"):
        stream(np.zeros((6, 2), np.float32))
