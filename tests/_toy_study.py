"""A study that costs nothing, with all that a report shows, and text that must be escaped."""

from skexplain.studies import Cell, Study, Table

TITLE = "Coins & <dice>"


class Toy(Study):
    """Does a coin <remember>?

    Each is thrown as often as ``throws`` says.

    Attributes
    ----------
    throws : int
        Not to be shown.
    """

    name = "toy"
    title = TITLE
    source = "Laplace, Table 1 & 2"

    def cells(self, scale):
        n_seeds = {"quick": 2, "paper": 3}[scale]
        coins = ("fair", "bent")
        return [
            Cell({"coin": coin, "seed": seed}, {"scale": scale})
            for seed in range(n_seeds)
            for coin in coins
        ]

    def run(self, factors, settings):
        share = 0.5 if factors["coin"] == "fair" else 0.7
        tests = {"heads": share, "tails": 1 - share}
        return [{"test": test, "share": value} for test, value in tests.items()]

    def tables(self, rows):
        cells = [(row["coin"], row["test"], f"{row['share']:.3f}") for row in rows]
        return [
            Table("Share <of> throws", ("coin", "test", "share"), cells, "a note & more"),
            Table("Two", ("a", "b"), [("x < y", "u | v")]),
        ]

    def pictures(self, rows):
        from skexplain.studies._pictures import new_figure

        figure, axes = new_figure(1, 2)
        for ax, coin in zip(axes.flat, ("fair", 'bent "one"'), strict=True):
            ax.plot([row["share"] for row in rows])
            ax.set(title=coin, xlabel="throw", ylabel="share of\nheads")
        return {"toy": figure, "toy-again": new_figure(1, 1)[0]}


class Failing(Toy):
    """One of its cells fails."""

    name = "failing"

    def run(self, factors, settings):
        if factors == {"coin": "bent", "seed": 0}:
            raise RuntimeError("the coin rolled away")
        return super().run(factors, settings)


class Whole(Toy):
    """Counts on all of its rows."""

    name = "whole"

    def tables(self, rows):
        return [Table("The last coin", ("share",), [(str(rows[7]["share"]),)])]

    def pictures(self, rows):
        return super().pictures([rows[7]])


class Missing(Toy):
    """Has no data."""

    name = "missing"

    def prepare(self, scale):
        raise OSError("put coins into the purse")
