"""Languages by the codes of this API: three letters, the bibliographic ones of ISO 639-2."""

from __future__ import annotations

UNKNOWN = "und"
SEVERAL = "mul"
# By the two letters that our records have. Records with three letters keep them.
_PAIRS = (
    "af:afr ar:ara az:aze be:bel bg:bul bn:ben br:bre bs:bos ca:cat cs:cze cy:wel da:dan "
    "de:ger el:gre en:eng eo:epo es:spa et:est eu:baq fa:per fi:fin fr:fre fy:fry ga:gle "
    "gd:gla gl:glg he:heb hi:hin hr:hrv hu:hun hy:arm ia:ina id:ind ig:ibo io:ido is:ice "
    "it:ita ja:jpn ka:geo kk:kaz km:khm kn:kan ko:kor ky:kir lb:ltz lt:lit lv:lav mk:mac "
    "ml:mal mn:mon mr:mar ms:may my:bur nb:nob ne:nep nl:dut nn:nno no:nor os:oss pa:pan "
    "pl:pol pt:por ro:rum ru:rus sk:slo sl:slv sq:alb sr:srp sv:swe sw:swa ta:tam te:tel "
    "tg:tgk th:tha tk:tuk tr:tur tt:tat ug:uig uk:ukr ur:urd uz:uzb vi:vie zh:chi"
)
_CODES = dict(pair.split(":") for pair in _PAIRS.split())


def code(language: str) -> str:
    """Return the code of a language of our records; “und” where none was recorded."""
    return _CODES.get(language, language if len(language) == 3 else UNKNOWN)
