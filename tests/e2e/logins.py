"""Callers of the running house: as somebody, or as nobody."""

from typing import Any

import requests

from palletflow.sandbox.house import House


class Login:
    """Calls the order API as somebody; `token` None: as nobody."""

    def __init__(self, house: House, token: str | None) -> None:
        self._url, self._headers = house.api.base_url, {"Authorization": f"Bearer {token}"} if token else {}

    def __call__(self, method: str, path: str, **more: Any) -> requests.Response:
        return requests.request(method, self._url + path, headers=self._headers, timeout=30, **more)


def token_of(house: House, username: str, password: str) -> str:
    """A token as any caller gets his."""
    login = {"username": username, "password": password}
    answer = requests.post(f"{house.api.base_url}/auth/token", json=login, timeout=30)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["access_token"])
