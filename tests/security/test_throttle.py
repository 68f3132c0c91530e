"""Guessing passwords is slowed down, for known and unknown people alike, over restarts and in parallel."""

from __future__ import annotations

import threading

import pytest
from sqlmodel import select

from contentcaster.errors import TooMany
from contentcaster.models import Role, SignInThrottle
from contentcaster.security import throttle
from contentcaster.services import auth
from contentcaster.services.auth import Client, WrongCredentials
from tests.services_for_tests import factories
from tests.services_for_tests.factories import PASSWORD
from tests.services_for_tests.stack import Stack

HERE = Client(ip="203.0.113.7")
ELSEWHERE = Client(ip="198.51.100.9")


def _try(stack: Stack, email: str, password: str = "wrong password!", client: Client = HERE) -> str:
    try:
        auth.sign_in_browser(stack.database, email=email, password=password, client=client)
    except (WrongCredentials, TooMany) as error:
        return error.code
    return "signed_in"


def _person(stack: Stack, role: Role = Role.CREATOR) -> str:
    with stack.database.transaction() as session:
        return factories.create_user(session, role).email


@pytest.mark.parametrize("is_known", [True, False])
def test_twenty_guesses_are_stopped_half_way_whether_the_person_exists_or_not(
    stack: Stack, is_known: bool
) -> None:
    email = _person(stack) if is_known else "nobody@example.org"
    answers = [_try(stack, email) for _ in range(20)]
    assert answers == ["wrong_credentials"] * throttle.PAIR.tries + ["too_many"] * (20 - throttle.PAIR.tries)


def test_a_right_password_does_not_help_while_stopped_but_does_from_another_address(stack: Stack) -> None:
    email = _person(stack)
    for _ in range(throttle.PAIR.tries):
        _try(stack, email)
    assert _try(stack, email, PASSWORD) == "too_many"
    assert _try(stack, email, PASSWORD, ELSEWHERE) == "signed_in"


def test_it_says_how_long_to_wait(sqlite_stack: Stack) -> None:
    for _ in range(throttle.PAIR.tries):
        _try(sqlite_stack, "nobody@example.org")
    with pytest.raises(TooMany, match="Wait 15 minutes") as caught:
        auth.sign_in_browser(sqlite_stack.database, email="nobody@example.org", password="x", client=HERE)
    assert 800 < caught.value.retry_after_seconds <= 900


def test_signing_in_forgets_earlier_slips(stack: Stack) -> None:
    email = _person(stack)
    for _ in range(throttle.PAIR.tries * 2):
        assert _try(stack, email) == "wrong_credentials"
        assert _try(stack, email, PASSWORD) == "signed_in"


def test_one_address_trying_many_people_is_stopped(sqlite_stack: Stack) -> None:
    answers = [
        _count(sqlite_stack, f"person{n}@example.org", "203.0.113.7")
        for n in range(throttle.ADDRESS.tries + 5)
    ]
    assert answers.count("too_many") == 5


def test_one_ipv6_network_counts_as_one_address(sqlite_stack: Stack) -> None:
    answers = [
        _count(sqlite_stack, f"p{n}@example.org", f"2001:db8:1:2::{n:x}")
        for n in range(throttle.ADDRESS.tries + 5)
    ]
    assert answers.count("too_many") == 5
    assert _count(sqlite_stack, "p@example.org", "2001:db8:1:3::1") == "counted"


def test_many_addresses_trying_one_person_are_stopped(sqlite_stack: Stack) -> None:
    answers = [
        _count(sqlite_stack, "ada@example.org", f"198.51.{n}.1") for n in range(throttle.ACCOUNT.tries + 5)
    ]
    assert answers.count("too_many") == 5


def test_guesses_at_the_same_time_gain_nothing(postgres_stack: Stack) -> None:
    answers: list[str] = []
    threads = [
        threading.Thread(
            target=lambda: answers.append(_count(postgres_stack, "ada@example.org", "203.0.113.7"))
        )
        for _ in range(25)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers.count("counted") == throttle.PAIR.tries


def test_the_table_names_neither_people_nor_addresses(sqlite_stack: Stack) -> None:
    _count(sqlite_stack, "ada@example.org", "203.0.113.7")
    with sqlite_stack.database.reading() as session:
        keys = " ".join(session.exec(select(SignInThrottle.key)))
    assert "ada" not in keys
    assert "203.0.113.7" not in keys


def _count(stack: Stack, email: str, ip: str) -> str:
    try:
        with stack.database.transaction() as session:
            throttle.count_try(session, email=email, ip=ip)
    except TooMany:
        return "too_many"
    return "counted"
