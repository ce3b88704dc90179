"""Correct Clerk session tokens. The tests make the incorrect ones themselves."""

import base64
import json
import time

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def generate_key(bits=2048):
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


def public_pem(key):
    return key.public_key().public_bytes(serialization.Encoding.PEM,
                                         serialization.PublicFormat.SubjectPublicKeyInfo).decode()


def private_pem(key):
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                             serialization.NoEncryption()).decode()


def jwk(key, kid):
    numbers = key.public_key().public_numbers()

    def number(value):
        return base64url(value.to_bytes((value.bit_length() + 7) // 8, "big"))

    return {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": kid, "n": number(numbers.n), "e": number(numbers.e)}


def jwks(keys):
    return json.dumps({"keys": [jwk(key, kid) for kid, key in keys.items()]})


class Signer:

    def __init__(self, key, issuer, kid=None):
        self.key, self.issuer, self.kid = key, issuer, kid

    @classmethod
    def from_file(cls, path, issuer, kid=None):
        with open(path, "rb") as file:
            return cls(serialization.load_pem_private_key(file.read(), None), issuer, kid)

    def claims(self, organization, **changes):
        now = int(time.time())
        claims = {
            "iss": self.issuer, "sub": "user_test", "sid": "sess_test", "iat": now - 1, "nbf": now - 1,
            "exp": now + 3600, "v": 2, "o": {"id": organization, "rol": "admin", "slg": "clinic"}, **changes
        }
        return {name: value for name, value in claims.items() if value is not ...}

    def header(self, **changes):
        header = {"alg": "RS256", "typ": "JWT", **({"kid": self.kid} if self.kid else {}), **changes}
        return {name: value for name, value in header.items() if value is not ...}

    def signature(self, text, algorithm=hashes.SHA256, pss=False):
        scheme = padding.PSS(padding.MGF1(algorithm()), algorithm.digest_size) if pss else padding.PKCS1v15()
        return self.key.sign(text.encode(), scheme, algorithm())

    def signed(self, header, payload, **how):
        """Signs any header and payload, given as values or as text."""
        parts = [base64url((p if isinstance(p, str) else json.dumps(p)).encode()) for p in (header, payload)]
        return ".".join(parts + [base64url(self.signature(".".join(parts), **how))])

    def token(self, organization, **changes):
        """A claim given as `...` is left out."""
        return self.signed(self.header(), self.claims(organization, **changes))
