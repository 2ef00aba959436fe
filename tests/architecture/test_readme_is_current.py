"""The README's generated tables are what the code says, and leave nobody out."""

from __future__ import annotations

from kernel.access import ROLES_BY_ACTIVITY, Role
from web import handbook


def test_the_readme_is_what_the_code_says() -> None:
    readme = (handbook.ROOT / "README.md").read_text()
    assert handbook.renewed(readme) == readme, "run: python3 do.py sunbid docs"


def test_a_witness_may_do_what_everybody_who_is_signed_in_may_and_no_more() -> None:
    handbook.load_everything()
    people = set(Role) - {Role.PLATFORM, Role.PUBLIC}
    for name, roles in ROLES_BY_ACTIVITY.items():
        if Role.WITNESS in roles and name.split(".")[0] in handbook.PACKAGES:
            assert roles >= people, name
            assert f"| `{name}` |" in handbook.access_matrix()
    assert handbook.SHORT.keys() == set(Role)
