"""Words that are met so often that to look for one of them alone is seldom meant."""

from __future__ import annotations

from typing import Final

_COMMON: Final = """
and are been but for from had has have her his not said that the their they this was were which who will with
als auch auf aus bei das dem den der des die ein eine einem einen einer für hat ist mit nach nicht sich sie sind
und von wird
aux avec ces dans des elle est les leur mais ont par pas plus pour que qui ses son sur une
como con del las los más para pero por que sus una
alla anche che con dal del della delle gli nel nella non per sono una
com das dos não para pelo por que sua uma
aan dat een het met niet naar voor van zijn
dla jak jest nie oraz przez się
для его как она они при что это від для про та що
"""
_BUSINESS: Final = """
agency alliance allied associated association automotive aviation capital central chemical commercial company
construction consulting defence defense development digital dynamics eastern electric electronics energy engineering
enterprise equipment europe express federal finance first foreign future general global group holding import
industrial industries industry innovation institute international investment logistics machinery management
marine maritime materials mechanical metals military modern national navigation north northern optics partners power
precision production products public research science security service services shipping smart solutions south
southern special standard state steel supply system systems technical technologies technology telecom tools trade
trading transport united universal western world
"""

COMMON_WORDS: Final = frozenset(_COMMON.split())
"""What stands in almost every text, in the languages with the most news; in lower case."""

BUSINESS_WORDS: Final = frozenset(_BUSINESS.split())
"""What firms are called by, and texts are full of."""
