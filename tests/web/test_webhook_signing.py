"""Standard Webhooks 1.0.0 (UX I-32): the reference vector, changes of secret, what is refused."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from tests.post_office import NEW_SECRET, OLD_SECRET
from web.webhook_signing import is_signed, secret_of, signed_headers

ID = "msg_p5jXN8AQM9LWM0D4loKWxJek"
AT = datetime.fromtimestamp(1614265330, UTC)
BODY = b'{"test": 2432232314}'
OLD, NEW = secret_of(OLD_SECRET), secret_of(NEW_SECRET)


@dataclass(frozen=True, slots=True)
class Spoilt:
    """One thing that is not as it was signed."""

    headers: dict[str, str]
    body: bytes = BODY


def test_a_message_is_signed_as_the_reference_signs_it() -> None:
    assert signed_headers(ID, BODY, [OLD], at=AT) == {
        "webhook-id": ID,
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_while_a_secret_is_changed_either_is_enough() -> None:
    headers = signed_headers(ID, BODY, [OLD, NEW], at=AT)
    assert headers["webhook-signature"].count("v1,") == 2
    assert is_signed(headers, BODY, [OLD], at=AT)
    assert is_signed(headers, BODY, [NEW], at=AT)
    assert not is_signed(headers, BODY, [b"x" * 32], at=AT)


@pytest.mark.parametrize(
    "spoilt",
    [
        Spoilt({"webhook-id": "msg_other"}),
        Spoilt({"webhook-timestamp": "1614265331"}),
        Spoilt({"webhook-timestamp": "soon"}),
        Spoilt({"webhook-timestamp": ""}),
        Spoilt({"webhook-signature": ""}),
        Spoilt({"webhook-signature": "v1a,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="}),
        Spoilt({}, BODY + b" "),
    ],
)
def test_whatever_was_changed_on_the_way_is_found_out(spoilt: Spoilt) -> None:
    headers = signed_headers(ID, BODY, [OLD], at=AT)
    assert is_signed(headers, BODY, [OLD], at=AT)
    assert not is_signed({**headers, **spoilt.headers}, spoilt.body, [OLD], at=AT)


def test_an_old_message_is_not_taken_a_second_time() -> None:
    headers = signed_headers(ID, BODY, [OLD], at=AT)
    assert is_signed(headers, BODY, [OLD], at=AT + timedelta(minutes=5))
    assert not is_signed(headers, BODY, [OLD], at=AT + timedelta(minutes=5, seconds=1))
    assert not is_signed(headers, BODY, [OLD], at=AT - timedelta(minutes=6))


@pytest.mark.parametrize("text", ["whsec_", "whsec_c2hvcnQ=", "whsec_no base64 at all", "密钥"])
def test_what_is_no_secret_is_not_taken_for_one(text: str) -> None:
    with pytest.raises(ValueError, match=r"webhook secret|ASCII"):
        secret_of(text)
