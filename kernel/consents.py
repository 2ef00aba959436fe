"""The separate consents that people give to uses of their sensitive data: for what, in which words.

Each use has a text of its own, with a version; who consents consents to that text and to no other.
What the law itself tells the platform to keep about people needs no consent and stands in no text
here: identities and who did what (电子招标投标办法 13, 49), and who sat where at an evaluation. No
face, voice, picture or position is taken from anybody, so nobody is asked for them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from kernel.crypto.digests import canonical, labelled
from kernel.refusals import Refusal
from kernel.statute import PRIVACY_LAW, under


class Purpose(StrEnum):
    """What sensitive personal data is used for here."""

    EXPERT_HEALTH = "expert_health"
    CALLS = "calls"


@dataclass(frozen=True, slots=True)
class ConsentText:
    """What a person is told before consenting: the data, the purpose, why it is needed, the choice.

    Each pair is the same in Chinese and in English. A text that changes gets the next version.
    """

    version: int
    name: tuple[str, str]
    data: tuple[str, str]
    purpose: tuple[str, str]
    necessity: tuple[str, str]
    refusing: tuple[str, str]

    def plain(self) -> dict[str, object]:
        """The text as its digest covers it."""
        return {
            "version": self.version,
            "name": list(self.name),
            "data": list(self.data),
            "purpose": list(self.purpose),
            "necessity": list(self.necessity),
            "refusing": list(self.refusing),
        }

    @property
    def tells_necessity(self) -> bool:
        """Whether it says why the data is needed."""
        return all(words.strip() for words in self.necessity)


TEXTS: Final[Mapping[Purpose, ConsentText]] = MappingProxyType(
    {
        Purpose.EXPERT_HEALTH: ConsentText(
            1,
            ("评标专家的健康声明", "An expert's declaration of health"),
            (
                "您是否身体健康、能够胜任评标工作的声明。",
                "Your declaration that you are in good health and fit for evaluation.",
            ),
            (
                "用于审核您的入库申请，由专家库所在的交易中心查看。",
                "To judge your application to a pool; the centre that keeps the pool sees it.",
            ),
            (
                "评标是连续数小时的工作，入库条件要求能够胜任；不作声明则无法审核这一条件。",
                "An evaluation takes hours on end and the pool asks for fitness; without the"
                " declaration it cannot be judged.",
            ),
            (
                "可以不同意，也可以随时撤回；撤回后声明即被删除，您退出专家库，已经完成的评标不受影响。",
                "You may refuse, and withdraw at any time; the declaration is erased then and you"
                " leave the pool, and what you have evaluated stands.",
            ),
        ),
        Purpose.CALLS: ConsentText(
            1,
            ("以短信和语音电话联系您", "Texts and voice calls to your mobile"),
            ("您的手机号码和备用手机号码。", "Your mobile number and your second one."),
            (
                "用于向您发送验证码和必须送达的通知，短信没有送到的改用语音电话；不用于其他用途。",
                "To send you codes and what must arrive, by voice call where a text does not get"
                " through; for nothing else.",
            ),
            (
                "开标、抽取和评标有严格的时限，错过通知会丧失权利，站内信不能保证及时看到。",
                "Openings, draws and evaluations run by the minute; a notice that is missed costs"
                " rights, and an inbox is not always seen in time.",
            ),
            (
                "可以不同意，也可以随时撤回；撤回后号码即被删除，通知只在信箱里和您登记的邮箱里。",
                "You may refuse, and withdraw at any time; the numbers are erased then and notices"
                " come to your inbox and your e-mail address alone.",
            ),
        ),
    }
)
"""The text in force for each use."""


def text_digest(purpose: Purpose) -> bytes:
    """What stands for the text in force, in the register and in the journal."""
    return labelled("ebid/1/consent", purpose.encode(), canonical(TEXTS[purpose].plain()))


@dataclass(frozen=True, slots=True)
class Consent:
    """A consent to the use of sensitive personal data: for what, and whether it stands alone."""

    purpose: str
    necessity_told: bool
    separate: bool
    withdrawn: bool = False


@under(PRIVACY_LAW[28], PRIVACY_LAW[29], rule="PL-14")
def consent_refusals(consent: Consent | None) -> list[Refusal]:
    """Why sensitive personal data may not be used: no consent of its own, or none any more."""
    if consent is None or not consent.separate:
        reason = "处理敏感个人信息应当取得个人的单独同意"
        return [Refusal("no_separate_consent", PRIVACY_LAW[29], reason)]
    refusals = []
    if consent.withdrawn:
        refusals.append(Refusal("consent_withdrawn", PRIVACY_LAW[29], "个人已撤回同意"))
    if not consent.purpose.strip() or not consent.necessity_told:
        reason = "应当告知处理敏感个人信息的特定目的和必要性"
        refusals.append(Refusal("purpose_unclear", PRIVACY_LAW[28], reason))
    return refusals
