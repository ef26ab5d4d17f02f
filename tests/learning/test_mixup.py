"""Mixup."""

import torch
from torch import Tensor

from overread.learning import blend, mixup


def batch() -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {
        "near": torch.randn(4, 3, 1, 8, 8, generator=generator),
        "near.mask": torch.tensor([[True, True, False], [True] * 3, [False] * 3, [True] * 3]),
        "near.offsets": torch.randn(4, 3, generator=generator),
        "far": torch.randn(4, 2, 1, 6, 6, generator=generator),
        "far.mask": torch.ones(4, 2, dtype=torch.bool),
        "target.a": torch.tensor([[1.0, 0, 0], [0, 1, 0], [0, 0, 0], [0.2, 0.3, 0.5]]),
        "weight.a": torch.tensor([1.0, 1, 0, 2]),
        "site": torch.tensor([0, 1, 2, 3]),
    }


PARTNER = torch.tensor([1, 2, 3, 0])


def test_share_one_is_the_identity() -> None:
    """A sample that is all itself is unchanged, mask and labels too."""
    given = batch()

    mixed = blend(given, partner=PARTNER, share=torch.ones(4))

    for name, value in given.items():
        assert torch.equal(value, mixed[name]), name


def test_all_views_have_one_share() -> None:
    """Views and labels of a sample are blended with the same share."""
    given = batch()
    share = torch.tensor([0.25, 0.5, 0.75, 0.1])

    mixed = blend(given, partner=PARTNER, share=share)

    for view in ("near", "far"):
        by = share.reshape(-1, 1, 1, 1, 1)
        torch.testing.assert_close(by * given[view] + (1 - by) * given[view][PARTNER], mixed[view])
    torch.testing.assert_close(torch.tensor([0.25, 0.75, 0.0]), mixed["target.a"][0])


def test_labels_stay_normalised_and_missing_ones_take_no_part() -> None:
    """Labels sum to 1; who lacks one takes the partner's, with its share of the weight."""
    mixed = blend(batch(), partner=PARTNER, share=torch.full((4,), 0.25))

    torch.testing.assert_close(torch.ones(4), mixed["target.a"].sum(1))
    torch.testing.assert_close(torch.tensor([0.0, 1.0, 0.0]), mixed["target.a"][1])
    torch.testing.assert_close(torch.tensor(0.25), mixed["weight.a"][1])


def test_slices_of_either_are_present() -> None:
    """A slice is missing only where both lack it, and keeps the offset of the one that has it."""
    given = batch()

    mixed = blend(given, partner=PARTNER, share=torch.full((4,), 0.5))

    assert mixed["near.mask"].tolist() == [[True] * 3, [True] * 3, [True] * 3, [True] * 3]
    torch.testing.assert_close(given["near.offsets"][3], mixed["near.offsets"][2])


def test_both_sites_are_remembered() -> None:
    """The level loss needs both sites and the share."""
    mixed = blend(batch(), partner=PARTNER, share=torch.full((4,), 0.25))

    assert (mixed["site"].tolist(), mixed["site.partner"].tolist()) == ([0, 1, 2, 3], [1, 2, 3, 0])
    assert mixed["site.share"].tolist() == [0.25] * 4


def test_probability_decides_which_batches() -> None:
    """Never at 0, always at 1, by the generator's draw in between."""

    def share_mixed(probability: float, alpha: float) -> float:
        generator = torch.Generator().manual_seed(0)
        given = batch()
        results = [
            mixup(given, probability=probability, alpha=alpha, generator=generator)
            for _ in range(200)
        ]
        return sum(result is not given for result in results) / len(results)

    assert share_mixed(0.0, 1.0) == 0
    assert share_mixed(1.0, 0.4) == 1
    assert 0.4 < share_mixed(0.5, 1.0) < 0.6


def test_beta_shares_have_the_right_spread() -> None:
    """Beta(a, a) has the variance 1 / (4 (2a + 1))."""
    many = {"target.a": torch.ones(4000, 1), "site": torch.zeros(4000)}
    generator = torch.Generator().manual_seed(0)
    for alpha in (0.4, 1.0, 4.0):
        share = mixup(many, probability=1, alpha=alpha, generator=generator)["site.share"]

        torch.testing.assert_close(
            share.var(), torch.tensor(1 / (4 * (2 * alpha + 1))), rtol=0.08, atol=0
        )
