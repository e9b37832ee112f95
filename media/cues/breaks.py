"""Where captions and their lines end: at the ends of sentences and clauses, in lines of one length.

The breaks of a whole run of words are chosen together, as TeX chooses those of a paragraph (Knuth
and Plass, 1981): what they cost is summed, and the cheapest sum wins.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import accumulate, pairwise

from media.cues.letters import ends_sentence, ends_with, parting
from media.cues.pieces import LINE, Piece

LONGEST_S = Fraction(7)
SHORTEST_S = Fraction(1)
COLUMNS_A_SECOND = 20

_CLAUSE = frozenset(",;:–—，、；：､،؛፣၊·")
_OPENERS = {
    "en": "and but or so that which who when where while if although though whether because since "
    "before after until than for with from to of in on at by as into",
    "de": "und aber oder denn weil dass der die das wenn wo während ob als für mit von zu in auf "
    "an bei damit obwohl",
    "fr": "et mais ou donc car que qui quand où si comme pour avec de à dans sur par parce "
    "lorsque puisque qu d lorsqu puisqu",
    "es": "y pero o porque que quien cuando donde si como para con de a en por aunque mientras",
    "it": "e ed ma o perché che chi quando dove se come per con di a da in su mentre anche",
    "nl": "en maar of want omdat dat die wie wanneer waar als terwijl voor met van te in op aan "
    "bij om hoewel",
    "pl": "i a ale lub albo bo ponieważ że który która które kto kiedy gdzie jeśli jak dla z ze do "
    "w we na przy żeby",
    "pt": "e mas ou porque que quem quando onde se como para com de a em por embora enquanto",
    "ru": "и а но или потому что который которая которые кто когда где если как для с со из к в во "
    "на о об у чтобы хотя",
}
"""Words in front of which a clause or a phrase begins: better to break there than behind them."""

_NEVER = float("inf")


def openers(language: str) -> frozenset[str]:
    """Words that begin a clause in `language`; none where they are not known."""
    return frozenset(_OPENERS.get(language, "").split())


def lines(run: Sequence[Piece], openers: frozenset[str]) -> tuple[tuple[int, int], ...]:
    """The captions of a run of words: for each, how many pieces its first line has, and both."""
    found = []
    begin = 0
    for first, end in _Run(run, openers).cheapest():
        found.append((first - begin, end - begin))
        begin = end
    return tuple(found)


def text(run: Sequence[Piece]) -> str:
    """The pieces of one line."""
    return "".join(f" {p.text}" if p.spaced and n else p.text for n, p in enumerate(run))


class _Run:
    """What breaks cost in a run of words."""

    def __init__(self, run: Sequence[Piece], openers: frozenset[str]) -> None:
        self.run = run
        self.ends = (0, *accumulate(p.columns + p.spaced for p in run))
        self.break_costs = tuple(_break_cost(left, right, openers) for left, right in pairwise(run))
        self.sentences = (0, *accumulate(ends_sentence(p.text) for p in run))

    def cheapest(self) -> list[tuple[int, int]]:
        """Of every caption, the piece behind its first line and the piece behind it."""
        costs, ways = [0.0], [(0, 0, 0)]
        for end in range(1, len(self.run) + 1):
            best, way = _NEVER, (0, 0, 0)
            for begin in range(end - 1, -1, -1):
                if self.columns(begin, end) > 2 * LINE + 1 or (
                    begin < end - 1 and self.lasts(begin, end) > LONGEST_S
                ):
                    break
                first, cost = self.first_line(begin, end)
                cost += costs[begin] + self.caption_cost(begin, end)
                if cost < best:
                    best, way = cost, (begin, first, end)
            costs.append(best)
            ways.append(way)
        found, end = [], len(self.run)
        while end:
            begin, first, end = ways[end]
            found.append((first, end))
            end = begin
        return found[::-1]

    def columns(self, begin: int, end: int) -> int:
        """Width of a line from piece `begin` to `end`."""
        return self.ends[end] - self.ends[begin] - self.run[begin].spaced

    def lasts(self, begin: int, end: int) -> Fraction:
        return self.run[end - 1].end_s - self.run[begin].start_s

    def first_line(self, begin: int, end: int) -> tuple[int, float]:
        """Where the first line ends, and what that costs: nothing where one line is enough."""
        if self.columns(begin, end) <= LINE:
            return end, 0.0
        best, where = _NEVER, end
        for at in range(begin + 1, end):
            above, below = self.columns(begin, at), self.columns(at, end)
            if above > LINE or below > LINE:
                continue
            cost = 0.3 * self.break_costs[at - 1] + 1.5 * abs(above - below) / (above + below)
            if cost < best:
                best, where = cost, at
        return where, best

    def caption_cost(self, begin: int, end: int) -> float:
        """One caption more, its end, sentences that end in it, and a reader who has no time."""
        run = self.run
        columns = self.columns(begin, end)
        is_last = end == len(run)
        until = run[end - 1].end_s + 1 if is_last else run[end].start_s
        shown_s = float(min(LONGEST_S, until - run[begin].start_s))
        cost = 1.0 + (0.0 if is_last else self.break_costs[end - 1])
        cost += 0.8 * (self.sentences[end - 1] - self.sentences[begin])
        cost += 6.0 * max(0.0, float(SHORTEST_S) - shown_s)
        cost += 3.0 * max(0.0, columns / COLUMNS_A_SECOND - shown_s)
        pauses = (run[n].start_s - run[n - 1].end_s for n in range(begin + 1, end))
        return cost + sum(float(pause) for pause in pauses if pause > Fraction(1, 2))


def _break_cost(left: Piece, right: Piece, openers: frozenset[str]) -> float:
    """How a break between two pieces reads: 0 at the end of a sentence, 1.2 within a phrase."""
    pause_s = min(1.0, float(right.start_s - left.end_s))
    if ends_sentence(left.text):
        cost = 0.0
    elif ends_with(left.text, _CLAUSE):
        cost = 0.3
    elif _opener(left.text) in openers:
        cost = 1.2
    elif _opener(right.text) in openers:
        cost = 0.6
    else:
        cost = parting(left.text, right.text, right.spaced)
    return cost * (1 - 0.7 * max(0.0, pause_s))


def _opener(word: str) -> str:
    """A word as it stands among the openers: of "qu'il" the "qu", of "¿Cuando" the word."""
    return word.lower().lstrip("¿¡\"'«“„(").replace("’", "'").partition("'")[0]
