"""Tokens through nginx: valid ones pass, and all others are refused."""

import time

from asking import eventually
from hostile_tokens import bad, good, inactive
from problems import must_be_problem


def test_every_valid_token_passes(api, clinic):
    for title, token in good(api.signer, clinic).items():
        response = api.get(clinic, "risk-metrics", headers={"Authorization": f"Bearer {token}"})
        assert response.status == 200, f"{title}: {response}"


def test_no_hostile_token_passes(api, clinic):
    cases = bad(api.signer, clinic)
    assert len(cases) >= 100
    for title, token in cases.items():
        value = b"Bearer " + token if isinstance(token, bytes) else f"Bearer {token}"
        for _ in range(2):  # the second may come from a cache
            response = api.get(clinic, "risk-metrics", headers={"Authorization": value}, fresh=True)
            assert response.status == 401, f"{title}: {response}"
            must_be_problem(response, 401)
            assert 'error="invalid_token"' in response.header("WWW-Authenticate"), f"{title}: {response}"


def test_a_token_of_no_or_another_organization_is_403(api, clinic):
    for title, token in inactive(api.signer, clinic).items():
        response = api.get(clinic, "risk-metrics", headers={"Authorization": f"Bearer {token}"})
        assert response.status == 403, f"{title}: {response}"
        must_be_problem(response, 403)


def test_an_expired_token_is_refused_even_if_it_was_used_before(api, clinic):

    def used():
        """Returns a token that has been used, because on a busy machine one may expire before its use."""
        ends = int(time.time()) + 5
        headers = {"Authorization": f"Bearer {api.signer.token(clinic, exp=ends)}"}
        return (ends, headers) if api.get(clinic, "risk-metrics", headers=headers).status == 200 else None

    ends, headers = eventually(used)
    # The leeway is five more seconds.
    time.sleep(max(0, ends + 5.1 - time.time()))
    must_be_problem(api.get(clinic, "risk-metrics", headers=headers), 401)


def test_the_clock_of_the_database_does_not_count_for_tokens(frozen):
    """The database's clock is in 2011. Only the wall clock decides."""
    frozen.at(1325239200 * 1_000_000)
    assert frozen.api.get("org_any", "risk-metrics").status == 200
    must_be_problem(
        frozen.api.get("org_any",
                       "risk-metrics",
                       headers=frozen.api.authorization("org_any", exp=1325239300, nbf=..., iat=...)), 401)


def test_a_token_in_a_query_or_a_cookie_is_ignored(api, clinic):
    token = api.signer.token(clinic)
    must_be_problem(api.get(clinic, f"dashboard?access_token={token}", headers={}), 401)
    must_be_problem(api.get(clinic, "dashboard", headers={"Cookie": f"__session={token}"}), 401)


def test_spaces_around_the_token_are_not_part_of_it(api, clinic):
    for value in ("Bearer  {}", " Bearer {}", "Bearer {}  "):
        assert api.get(clinic, "dashboard",
                       headers={"Authorization": value.format(api.signer.token(clinic))}).status == 200


def test_two_authorization_headers_give_no_one_anothers_permissions(api, clinic, second_clinic):
    headers = [("Authorization", api.authorization(o)["Authorization"]) for o in (second_clinic, clinic)]
    for pair in (headers, headers[::-1]):
        response = api.get(clinic, "dashboard", headers=pair, fresh=True)
        assert response.status in (200, 400, 401, 403), response
