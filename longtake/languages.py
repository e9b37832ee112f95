"""Languages, as files and playlists name them."""

from __future__ import annotations

import re


def _table(pairs: str) -> dict[str, str]:
    return dict(pair.split(":") for pair in pairs.split())


_TWO_LETTERS = _table(
    """
    aa:aar ab:abk ae:ave af:afr ak:aka am:amh an:arg ar:ara as:asm av:ava ay:aym az:aze
    ba:bak be:bel bg:bul bi:bis bm:bam bn:ben bo:tib br:bre bs:bos ca:cat ce:che ch:cha
    co:cos cr:cre cs:cze cu:chu cv:chv cy:wel da:dan de:ger dv:div dz:dzo ee:ewe el:gre
    en:eng eo:epo es:spa et:est eu:baq fa:per ff:ful fi:fin fj:fij fo:fao fr:fre fy:fry
    ga:gle gd:gla gl:glg gn:grn gu:guj gv:glv ha:hau he:heb hi:hin ho:hmo hr:hrv ht:hat
    hu:hun hy:arm hz:her ia:ina id:ind ie:ile ig:ibo ii:iii ik:ipk io:ido is:ice it:ita
    iu:iku ja:jpn jv:jav ka:geo kg:kon ki:kik kj:kua kk:kaz kl:kal km:khm kn:kan ko:kor
    kr:kau ks:kas ku:kur kv:kom kw:cor ky:kir la:lat lb:ltz lg:lug li:lim ln:lin lo:lao
    lt:lit lu:lub lv:lav mg:mlg mh:mah mi:mao mk:mac ml:mal mn:mon mr:mar ms:may mt:mlt
    my:bur na:nau nb:nob nd:nde ne:nep ng:ndo nl:dut nn:nno no:nor nr:nbl nv:nav ny:nya
    oc:oci oj:oji om:orm or:ori os:oss pa:pan pi:pli pl:pol ps:pus pt:por qu:que rm:roh
    rn:run ro:rum ru:rus rw:kin sa:san sc:srd sd:snd se:sme sg:sag si:sin sk:slo sl:slv
    sm:smo sn:sna so:som sq:alb sr:srp ss:ssw st:sot su:sun sv:swe sw:swa ta:tam te:tel
    tg:tgk th:tha ti:tir tk:tuk tl:tgl tn:tsn to:ton tr:tur ts:tso tt:tat tw:twi ty:tah
    ug:uig uk:ukr ur:urd uz:uzb ve:ven vi:vie vo:vol wa:wln wo:wol xh:xho yi:yid yo:yor
    za:zha zh:chi zu:zul
    """
)
"""ISO 639-1 to the bibliographic codes of ISO 639-2, which files use."""
_TERMINOLOGICAL = _table(
    """
    bod:tib ces:cze cym:wel deu:ger ell:gre eus:baq fas:per fra:fre hye:arm isl:ice kat:geo
    mkd:mac mri:mao msa:may mya:bur nld:dut ron:rum slk:slo sqi:alb zho:chi
    """
)
_WITHDRAWN = {"in": "id", "iw": "he", "ji": "yi", "jw": "jv"}
"""Codes that ISO 639-1 took back; Whisper says `jw`."""
_FROM_QUICKTIME = {"fo ": "fao", "hr ": "hrv", "pa ": "pan", "sr ": "srp", "sve": "swe"}
_QUICKTIME = {
    **_table("cze:ces fre:fra rum:ron slo:slk"),
    **{ours: theirs for theirs, ours in _FROM_QUICKTIME.items()},
}
"""FFmpeg's words for QuickTime's numbers of languages, where they are not those of `code`: it reads
and writes these alone, and drops any other without a word."""
_SHORT = {long: short for short, long in _TWO_LETTERS.items()}


def code(language: str) -> str:
    """One code a language: files say `ger`, `deu`, `de` or `de-AT`."""
    own = language.lower().partition("-")[0]
    own = _WITHDRAWN.get(own, own)
    own = _TWO_LETTERS.get(own, own)
    return _TERMINOLOGICAL.get(own, own)


def from_file(language: str | None) -> str | None:
    """A language as FFmpeg reads it in a file, in the codes of ISO 639 where it is QuickTime's."""
    return _FROM_QUICKTIME.get(language, language) if language else None


def quicktime(language: str) -> str:
    """A language as FFmpeg writes it into a MOV."""
    own = code(language)
    return _QUICKTIME.get(own, own)


def bcp47(language: str | None) -> str | None:
    """A language as playlists name it (BCP 47), from what a file says; None where it says nothing.

    `ger`, `deu` and `de` are all `de`; one without two letters stays as it is.
    """
    if not language or code(language) in ("und", "mis", "zxx", "unknown"):
        return None
    if not re.fullmatch("[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*", language):
        return None
    own, _, region = language.partition("-")
    letters = _SHORT.get(code(own), own.lower())
    return f"{letters}-{region}" if region else letters


def is_in(language: str, asked: str) -> bool:
    """Whether a tag is of the language asked for: en-GB is in en, and not in en-US."""
    region = asked.partition("-")[2].lower()
    if region and language.partition("-")[2].lower() != region:
        return False
    return code(language) == code(asked)
