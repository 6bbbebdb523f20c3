"""Images and containers that stand at the top of a module."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_dockerlab import Lab, UsageError, container_fixture, image_fixture
from pytest_dockerlab.plugin.declared import ContainerRecipe, ImageRecipe, recipe_of


def test_a_declaration_is_known_before_anything_is_made() -> None:
    """What a fixture will make, with which settings and for how long, can be read without an engine."""
    image = image_fixture("ex1", target="base")
    box = container_fixture(image, ["true"], scope="module", user="1111:1111")
    of_image, of_box = recipe_of(image), recipe_of(box)
    assert isinstance(of_image, ImageRecipe)
    assert (of_image.source, of_image.settings, of_image.scope) == ("ex1", {"target": "base"}, "session")
    assert isinstance(of_box, ContainerRecipe)
    assert (of_box.image, of_box.command, of_box.settings) == (image, ["true"], {"user": "1111:1111"})
    assert recipe_of("ex1") is None


@pytest.mark.parametrize("declare", [image_fixture, container_fixture])
def test_a_scope_that_is_none_is_refused(declare: Any) -> None:
    """The error lists the scopes there are."""
    with pytest.raises(UsageError, match=r"no such scope: 'class'\n.*one of function, module, session, run"):
        declare("alpine", scope="class")


def test_declared_things_are_fixtures(pytester: pytest.Pytester, engine: Lab) -> None:
    """They have the variable's name, live as long as their scope says, and build on one another."""
    pytester.makeconftest(
        """
        from pytest_dockerlab import image_fixture
        base = image_fixture("FROM alpine\\nRUN echo base > /base\\n")
        """
    )
    pytester.makepyfile(
        images="""
        from pytest_dockerlab import image_fixture
        elsewhere = image_fixture("FROM alpine\\nRUN echo elsewhere > /place\\n", scope="module")
        """,
        test_it="""
        from pytest_dockerlab import container_fixture, image_fixture
        import images
        from conftest import base

        fresh = container_fixture(base, ["sleep", "60"])
        kept = container_fixture(base, ["sleep", "60"], scope="module")
        foreign = container_fixture(images.elsewhere, ["cat", "/place"], scope="module")
        named = container_fixture("alpine", ["id", "-u"], user="1111:1111")
        seen = []

        def test_one(base, fresh, kept):
            assert fresh.image.id == kept.image.id == base.image.id
            assert fresh.exec(["cat", "/base"]).output == "base\\n"
            seen.extend([fresh.id, kept.id])

        def test_two(fresh, kept):
            assert fresh.id not in seen
            assert kept.id in seen

        def test_three(foreign, named):
            assert foreign.output == "elsewhere\\n"
            assert named.output == "1111\\n"
        """,
    )
    result = pytester.runpytest_subprocess("-v")
    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines(["builds      2 in *"])


def test_an_image_that_is_a_container_is_refused(pytester: pytest.Pytester, engine: Lab) -> None:
    """The error names the fixture and what it wants instead."""
    pytester.makepyfile(
        """
        from pytest_dockerlab import container_fixture
        box = container_fixture("alpine")
        other = container_fixture(box)
        def test_it(other): pass
        """
    )
    result = pytester.runpytest_subprocess()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        ["E *container_fixture 'other': its image is a container", "*give it an image_fixture*"]
    )


def test_an_image_must_live_as_long_as_its_container(pytester: pytest.Pytester, engine: Lab) -> None:
    """pytest's own rule about scopes holds for declared fixtures."""
    pytester.makepyfile(
        """
        from pytest_dockerlab import container_fixture, image_fixture
        image = image_fixture("FROM alpine\\n", scope="function")
        box = container_fixture(image, scope="session")
        def test_it(box): pass
        """
    )
    result = pytester.runpytest_subprocess()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["ScopeMismatch: *"])
