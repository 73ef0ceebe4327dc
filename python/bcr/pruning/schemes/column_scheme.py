"""The base of all schemes that keep whole columns of blocks, in some order of the weights."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import torch

from bcr.pruning.form import Form
from bcr.pruning.schemes import columns
from bcr.pruning.schemes.columns import Choice, Cut, Units
from bcr.pruning.schemes.ranking import ranked
from bcr.pruning.schemes.scheme import Scheme, above


class ColumnScheme(Scheme):
    """Orders the weights of a layer as it likes, cuts them into blocks and keeps whole columns.

    A subclass says by `view` and `restore` how W[M, K] is laid out, for example transposed, and by
    `regions` how the result is cut.
    """

    rows_too = False
    """Whether rows of the blocks are pruned before columns."""

    def view(self, form: Form, matrix: torch.Tensor) -> torch.Tensor:
        """Return W as the matrix that `regions` cuts."""
        return matrix

    def restore(self, form: Form, mask: torch.Tensor) -> torch.Tensor:
        """Return a mask of the view as a mask of W; the inverse of `view`."""
        return mask

    @abstractmethod
    def regions(self, form: Form) -> Sequence[Cut]:
        """Return the blocks of the view; the first region is the interior."""

    def balanced(self, form: Form) -> bool:
        """Whether every block gets its own share rather than that of its columns' rank."""
        return form.settings.ranking == "block"

    def mask(self, form: Form, matrix: torch.Tensor, rate: float) -> torch.Tensor:
        """See `Scheme.mask`; a layer alone, also where it is ranked over a network."""
        weight = columns.scaled(self.view(form, matrix))
        grid, budget = self.regions(form), columns.budget_of(matrix.numel(), rate)
        choices = []
        for rows in self.splits(form, rate):
            if self.balanced(form):
                choices.append(columns.balanced(weight, grid, rate, rows))
            else:
                choices += ranked([columns.units(weight, grid, rows)], budget)
        return self.restore(form, columns.best(choices, budget).mask(weight))

    def splits(self, form: Form, rate: float) -> list[int]:
        """Return the numbers of rows to try in a block of the first region, all of them first."""
        height = self.regions(form)[0].height
        return columns.row_counts(height, rate) if self.rows_too else [height]

    def units(self, form: Form, matrix: torch.Tensor, rows: int) -> Units:
        """Return what competes where a block of the first region keeps `rows` rows."""
        return columns.units(self.view(form, matrix), self.regions(form), rows)

    def choice_mask(self, form: Form, matrix: torch.Tensor, choice: Choice) -> torch.Tensor:
        """Return the mask of W for a choice among `units`."""
        return self.restore(form, choice.mask(self.view(form, matrix)))

    def group_norms(self, form: Form, matrix: torch.Tensor) -> list[torch.Tensor]:
        """See `Scheme.group_norms`; one tensor [blocks, width], then [blocks, height] if rows go.

        Of a layer with ragged edges there is one of each for each size of block.
        """
        weight = self.view(form, matrix)
        squares = [region.cut(weight).square() for region in self.regions(form)]
        norms = [s.sum(dim=1).flatten(0, 1) for s in squares]
        if self.rows_too:
            norms += [s.sum(dim=3).transpose(1, 2).flatten(0, 1) for s in squares]
        return norms

    def threshold_mask(self, form: Form, matrix: torch.Tensor, threshold: float) -> torch.Tensor:
        """See `Scheme.threshold_mask`; a column and a row of a block are tested independently."""
        weight = self.view(form, matrix.detach())
        choice = Choice()
        for region in self.regions(form):
            squares = region.cut(weight).double().square_()
            norms = squares.sum(dim=1).reshape(-1, region.width)
            columns_kept = above(norms, region.height, threshold)
            rows_kept = torch.ones_like(squares[:, :, :, 0].transpose(1, 2), dtype=torch.bool)
            rows_kept = rows_kept.reshape(-1, region.height)
            if self.rows_too:
                norms = squares.sum(dim=3).transpose(1, 2).reshape(-1, region.height)
                rows_kept = above(norms, region.width, threshold)
            choice.parts.append((region, rows_kept, columns_kept))
        return self.restore(form, choice.mask(weight))
