"""Tables 1 to 3 as code, and the properties on which export and tiling rely."""

import pytest

torch = pytest.importorskip("torch")

from batch_norm_share import both_halves, share  # noqa: E402
from torch import nn  # noqa: E402

from stegcli.training.isgan.baluja import BalujaDecoder, BalujaEncoder  # noqa: E402
from stegcli.training.isgan.layers import BatchNorm, freeze_statistics  # noqa: E402
from stegcli.training.isgan.networks import Decoder, Encoder, folded  # noqa: E402
from stegcli.training.isgan.rehman import RehmanDecoder, RehmanEncoder  # noqa: E402
from stegcli.training.isgan.steganalyzer import HighPass, Steganalyzer, high_pass_filters  # noqa: E402

pytestmark = pytest.mark.train


def output_sizes(network, layers, picture):
    """Return the output shape of each of `layers`, (C, H, W) or (C,), for one picture."""
    sizes = []
    handles = [
        layer.register_forward_hook(lambda _m, _i, out: sizes.append(tuple(out.shape[1:])))
        for layer in layers
    ]
    with torch.no_grad():
        network.eval()(picture)
    for handle in handles:
        handle.remove()
    return sizes


def weights(network):
    return sum(parameter.numel() for parameter in network.parameters())


def randomise_statistics(network):
    """Set running statistics and affine weights as after a training."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.uniform_(-1, 1)
            module.running_var.uniform_(0.5, 2)
            nn.init.uniform_(module.weight, 0.5, 2)
            nn.init.uniform_(module.bias, -1, 1)
    return network.eval()


def test_encoder_has_the_sizes_of_table_1():
    encoder = Encoder()
    layers = [encoder.first, *encoder.blocks, encoder.last, encoder.output]
    sizes = output_sizes(encoder, layers, torch.rand(1, 2, 256, 256))
    assert sizes == [(planes, 256, 256) for planes in (16, 32, 64, 128, 256, 128, 64, 32, 16, 1)]


def test_decoder_has_the_sizes_of_table_2():
    decoder = Decoder()
    sizes = output_sizes(decoder, [*decoder.layers, decoder.output], torch.rand(1, 1, 256, 256))
    assert sizes == [(planes, 256, 256) for planes in (32, 64, 128, 64, 32, 1)]


@pytest.mark.parametrize("high_pass", [False, True])
def test_steganalyzer_has_the_sizes_of_table_3(high_pass):
    judge = Steganalyzer(high_pass=high_pass)
    layers = [judge.first, *judge.blocks, judge.pyramid, judge.hidden, judge.output]
    assert output_sizes(judge, layers, 255 * torch.rand(1, 3, 256, 256)) == [
        (8, 128, 128),
        (16, 64, 64),
        (32, 32, 32),
        (64, 16, 16),
        (128, 8, 8),
        (2688,),
        (128,),
        (2,),
    ]


def test_parameter_counts_are_the_papers():
    assert weights(Encoder()) == pytest.approx(0.41e6, rel=0.01)
    assert weights(Decoder()) == pytest.approx(0.19e6, rel=0.03)


@pytest.mark.parametrize("size", [(32, 32), (65, 130)])
def test_steganalyzer_judges_any_size(size):
    assert Steganalyzer().eval()(255 * torch.rand(2, 3, *size)).shape == (2, 2)


def test_steganalyzer_first_layer_takes_absolute_values():
    judge = Steganalyzer()
    seen = []
    judge.first.norm.register_forward_hook(lambda _m, inputs, _o: seen.append(inputs[0]))
    judge.eval()(255 * torch.rand(1, 3, 64, 64))
    assert seen[0].min() >= 0


def test_high_pass_filters_are_thirty_and_ignore_brightness():
    filters = high_pass_filters()
    assert filters.shape == (HighPass.PLANES, 1, 5, 5)
    assert filters.sum((1, 2, 3)).abs().max() < 1e-5
    assert filters.abs().amax((1, 2, 3)).eq(1).all()
    flat = {tuple(kernel.flatten().tolist()) for kernel in filters}
    assert len(flat) == 30


@pytest.mark.parametrize(
    ("kind", "planes_in", "planes_out"),
    [
        (Encoder, 2, 1),
        (Decoder, 1, 1),
        (RehmanEncoder, 4, 3),
        (RehmanDecoder, 3, 1),
        (BalujaEncoder, 4, 3),
        (BalujaDecoder, 3, 1),
    ],
)
def test_outputs_depend_on_their_halo_only_and_any_size_works(kind, planes_in, planes_out):
    network = kind().eval()
    side = 2 * kind.HALO + 5
    picture = torch.rand(1, planes_in, side, side + 3, requires_grad=True)
    output = network(picture)
    assert output.shape == (1, planes_out, side, side + 3)
    middle = kind.HALO + 2
    (gradient,) = torch.autograd.grad(output[0, :, middle, middle].sum(), picture)
    touched = gradient.abs().sum((0, 1)).nonzero() - middle
    assert touched.abs().max() <= kind.HALO


@pytest.mark.parametrize(("kind", "planes"), [(Encoder, 2), (Decoder, 1)])
def test_folding_batch_norm_changes_nothing(kind, planes):
    torch.manual_seed(11)
    network = randomise_statistics(kind())
    exported = folded(network)
    picture = torch.rand(2, planes, 40, 36)
    torch.testing.assert_close(exported(picture), network(picture), rtol=1e-3, atol=1e-4)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in exported.modules())
    assert any(isinstance(module, nn.BatchNorm2d) for module in network.modules()), (
        "the original is untouched"
    )


def test_frozen_statistics_make_training_compute_what_evaluation_computes():
    decoder = randomise_statistics(Decoder())
    picture = torch.rand(1, 1, 24, 24)
    expected = decoder(picture)
    decoder.train()
    freeze_statistics(decoder)
    before = decoder.layers[0].norm.running_mean.clone()
    torch.testing.assert_close(decoder(picture), expected)
    assert torch.equal(decoder.layers[0].norm.running_mean, before)
    freeze_statistics(decoder, frozen=False)
    assert not torch.allclose(decoder(picture), expected)


def test_batch_norm_equals_torchs():
    ours, theirs = BatchNorm(3), nn.BatchNorm2d(3)
    x = torch.rand(4, 3, 8, 8)
    torch.testing.assert_close(ours(x), theirs(x))
    torch.testing.assert_close(ours.running_var, theirs.running_var)
    torch.testing.assert_close(ours.eval()(x), theirs.eval()(x))


@pytest.mark.slow
def test_batch_norm_over_two_processes_is_that_of_the_whole_batch():
    import socket

    from torch import multiprocessing

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    processes = [context.Process(target=share, args=(rank, port, results)) for rank in range(2)]
    for process in processes:
        process.start()
    halves = sorted(results.get(timeout=120) for _ in processes)
    for process in processes:
        process.join()
    whole, x = nn.BatchNorm2d(3), both_halves().requires_grad_()
    y = whole(x)
    (y * both_halves().square()).sum().backward()
    for rank, part, gradient, variance in halves:
        rows = slice(2 * rank, 2 * rank + 2)
        torch.testing.assert_close(torch.from_numpy(part), y[rows].detach(), rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(torch.from_numpy(gradient), x.grad[rows], rtol=1e-3, atol=1e-5)
        torch.testing.assert_close(torch.from_numpy(variance), whole.running_var, rtol=1e-4, atol=1e-6)
