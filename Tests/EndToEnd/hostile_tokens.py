"""Tokens that pass, tokens that are refused, and valid tokens without access."""

import base64
import hashlib
import hmac
import json
import time

from cryptography.hazmat.primitives import hashes

from tokens import Signer, base64url, generate_key, public_pem

STRANGER = generate_key()
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def good(signer, org):
    """Tokens that pass."""
    now, text = int(time.time()), json.dumps(signer.claims(org))
    c = lambda **changes: signer.token(org, **changes)
    return {
        "as Clerk makes it": c(),
        "v 2 as 2.0": signer.signed(signer.header(), text.replace('"v": 2', '"v": 2.0')),
        "v 2 as 20e-1": signer.signed(signer.header(), text.replace('"v": 2', '"v": 20e-1')),
        "v 1": c(v=1, o=..., org_id=org),
        "no v": c(v=..., o=..., org_id=org),
        "v as text is not 2": c(v="2", o={"id": "other"}, org_id=org),
        "v 3": c(v=3, o={"id": "other"}, org_id=org),
        "v 2 and another org_id": c(org_id="other"),
        "no nbf, no iat": c(nbf=..., iat=...),
        "a fractional exp": c(exp=now + 60.5),
        "iat and nbf within the leeway": c(iat=now + 3, nbf=now + 3),
        "exp within the leeway": c(exp=now - 2),
        "sts active": c(sts="active"),
        "unknown claims": c(x={"deep": [1, {"a": None}]}, fva=[1, -1]),
        "no typ": signer.signed(signer.header(typ=...), signer.claims(org)),
        "the longest subject, session, role and actor": c(sub="é" * 255, sid="\U0001f600" * 255, act={"sub": "x" * 255},
                                                          o={"id": org, "rol": "r" * 255}),
        "aud null": c(aud=None),
        "azp where any is allowed": c(azp="https://whoever.example"),
        "a subject in another script": c(sub="用户\U0001f600"),
        "exp as far away as may be": c(exp=now + 86400),
    }


def bad(signer, org):
    """Tokens that get 401."""
    return {**bad_headers(signer, org), **bad_signatures(signer, org), **bad_claims(signer, org)}


def bad_headers(signer, org):
    claims, pem = signer.claims(org), public_pem(signer.key)
    _, body, signature = signer.signed(signer.header(), claims).split(".")
    h = lambda **changes: signer.signed(signer.header(**changes), claims)
    raw = lambda header: signer.signed(header, claims)

    def unsigned(name):
        return f"{base64url(json.dumps(signer.header(alg=name)).encode())}.{body}"

    def hs(name, digest, secret):
        text = unsigned(name)
        return f"{text}.{base64url(hmac.new(secret, text.encode(), digest).digest())}"

    return {
        "alg none": f"{unsigned('none')}.",
        "alg none with a signature": f"{unsigned('none')}.{signature}",
        "alg None": f"{unsigned('None')}.{signature}",
        "alg NONE, empty": f"{unsigned('NONE')}.",
        "HS256 keyed with the public PEM": hs("HS256", hashlib.sha256, pem.encode()),
        "HS256 keyed with the trimmed PEM": hs("HS256", hashlib.sha256,
                                               pem.strip().encode()),
        "HS384 keyed with the public PEM": hs("HS384", hashlib.sha384, pem.encode()),
        "HS512 keyed with the public PEM": hs("HS512", hashlib.sha512, pem.encode()),
        "HS256 with an empty key": hs("HS256", hashlib.sha256, b""),
        "HS256 named RS256": hs("RS256", hashlib.sha256, pem.encode()),
        "RS512": signer.signed(signer.header(alg="RS512"), claims, algorithm=hashes.SHA512),
        "RS384": signer.signed(signer.header(alg="RS384"), claims, algorithm=hashes.SHA384),
        "PS256": signer.signed(signer.header(alg="PS256"), claims, pss=True),
        "PSS named RS256": signer.signed(signer.header(), claims, pss=True),
        "RS256 named, signed as RS512": signer.signed(signer.header(), claims, algorithm=hashes.SHA512),
        "alg rs256": h(alg="rs256"),
        "alg with a space": h(alg="RS256 "),
        "ES256": h(alg="ES256"),
        "no alg": h(alg=...),
        "alg null": h(alg=None),
        "alg a list": h(alg=["RS256"]),
        "alg a number": h(alg=256),
        "alg empty": h(alg=""),
        "two algs": raw('{"alg":"none","alg":"RS256"}'),
        "two algs, the other order": raw('{"alg":"RS256","alg":"none"}'),
        "alg spelt with an escape and plainly": raw('{"alg":"RS256","\\u0061lg":"none"}'),
        "crit": h(crit=["exp"]),
        "crit empty": h(crit=[]),
        "crit null": h(crit=None),
        "header a list": raw('["RS256"]'),
        "header text": raw('"RS256"'),
        "header empty": f".{body}.{signature}",
        "header not JSON": raw("{alg:RS256}"),
        "header not UTF-8": f"{base64url(b'{' + bytes([255]) + b'}')}.{body}.{signature}",
    }


def bad_signatures(signer, org):
    claims, other = signer.claims(org), Signer(STRANGER, signer.issuer, signer.kid)
    token = signer.signed(signer.header(), claims)
    head, body, signature = token.split(".")
    flipped = "B" if signature[0] == "A" else "A"
    loose = signature[:-1] + ALPHABET[ALPHABET.index(signature[-1]) ^ 1]  # the same bytes in another encoding
    return {
        "another key": other.token(org),
        "another key in the token": other.signed(other.header(jwk={"kty": "RSA"}, jku="https://evil.example/jwks"),
                                                 claims),
        "signature of another body": f"{head}.{base64url(json.dumps(signer.claims('other')).encode())}.{signature}",
        "flipped signature": f"{head}.{body}.{flipped}{signature[1:]}",
        "shortened signature": f"{head}.{body}.{signature[:-4]}",
        "lengthened signature": f"{head}.{body}.{signature}AAAA",
        "signature all zero": f"{head}.{body}.{base64url(bytes(256))}",
        "signature of one byte": f"{head}.{body}.AA",
        "loose last bits": f"{head}.{body}.{loose}",
        "padded signature": f"{token}==",
        "padded everywhere": ".".join(p + "=" * (-len(p) % 4) for p in token.split(".")) + "=",
        "one = more": f"{token}=",
        "plain base64 alphabet": f"{head}.{body}.{base64.b64encode(bytes([251, 255] * 128)).decode().rstrip('=')}",
        "junk in the signature": f"{head}.{body}.{signature[:9]}!{signature[9:]}",
        "a space within": f"{head}.{body} .{signature}",
        "no signature": f"{head}.{body}",
        "empty signature": f"{head}.{body}.",
        "empty body": f"{head}..{signature}",
        "only dots": "..",
        "one dot": ".",
        "three dots": "...",
        "four parts": f"{token}.AAAA",
        "a trailing dot": f"{token}.",
        "a leading dot": f".{token}",
        "twice": f"{token}{token}",
        "with a comma": f"{token}, {token}",
        "two tokens": f"{token} {token}",
        "in quotes": f'"{token}"',
        "not ASCII": f"{token}é".encode(),
        "bytes over 127": b"\xff.\xff.\xff",
        "junk": "junk",
        "a long junk": "x" * 7000,
        "long parts": ".".join(["A" * 2400] * 3),
    }


def bad_claims(signer, org):
    now, claims = int(time.time()), signer.claims(org)
    c = lambda **changes: signer.token(org, **changes)
    raw = lambda payload: signer.signed(signer.header(), payload)
    return {
        "expired": c(exp=now - 60),
        "expired just beyond the leeway": c(exp=now - 7),
        "no exp": c(exp=...),
        "exp as text": c(exp=str(now + 60)),
        "exp null": c(exp=None),
        "exp true": c(exp=True),
        "exp a list": c(exp=[now + 60]),
        "exp 0": c(exp=0),
        "exp negative": c(exp=-now),
        "exp 1e400": raw(json.dumps(claims).replace(f'"exp": {claims["exp"]}', '"exp": 1e400')),
        "exp NaN": raw(json.dumps(claims).replace(f'"exp": {claims["exp"]}', '"exp": NaN')),
        "two exps": raw(json.dumps({**claims, "exp": 1})[:-1] + f', "exp": {now + 60}}}'),
        "not yet": c(nbf=now + 60),
        "nbf beyond the leeway": c(nbf=now + 30),
        "nbf as text": c(nbf=str(now)),
        "issued in the future": c(iat=now + 60),
        "iat as text": c(iat="now"),
        "iat true": c(iat=True),
        "no issuer": c(iss=...),
        "another issuer": c(iss="https://evil.example"),
        "issuer with a slash": c(iss=signer.issuer + "/"),
        "issuer in capitals": c(iss=signer.issuer.upper()),
        "issuer a list": c(iss=[signer.issuer]),
        "issuer null": c(iss=None),
        "issuer empty": c(iss=""),
        "issuer with a zero byte": c(iss=signer.issuer + "\x00"),
        "issuer a prefix": c(iss=signer.issuer[:-1]),
        "no subject": c(sub=...),
        "subject empty": c(sub=""),
        "subject null": c(sub=None),
        "subject a number": c(sub=5),
        "subject a list": c(sub=["user"]),
        "subject with a zero byte": c(sub="user\x00"),
        "subject with a lone surrogate": c(sub="user\ud800"),
        "sts pending": c(sts="pending"),
        "an audience": c(aud="x"),
        "a list of audiences": c(aud=["x", signer.issuer]),
        "an empty audience": c(aud=""),
        "an empty list of audiences": c(aud=[]),
        "an audience that is a number": c(aud=1),
        "an audience that is an object": c(aud={"x": 1}),
        "exp further away than may be": c(exp=now + 86400 + 60),
        "exp in a hundred years": c(exp=now + 100 * 365 * 86400),
        "exp further away than any clock": c(exp=1e300),
        "a subject that is too long": c(sub="x" * 256),
        "a session that is too long": c(sid="é" * 256),
        "a role that is too long": c(o={"id": org, "rol": "r" * 256}),
        "an actor that is too long": c(act={"sub": "x" * 256}),
        "an organization that is too long": c(o={"id": org + "x" * 201, "rol": "admin"}),
        "an organization that is too long, in the first version": c(v=1, o=..., org_id="x" * 201),
        "an organization of 3,600 letters": c(o={"id": "x" * 3600}),
        "body a list": raw(json.dumps([claims])),
        "body text": raw('"x"'),
        "body null": raw("null"),
        "body empty object": raw("{}"),
        "body not JSON": raw(json.dumps(claims)[:-1]),
        "body with more behind": raw(json.dumps(claims) + "{}"),
        "body with a zero byte behind": raw(json.dumps(claims) + "\x00"),
        "two subs": raw(json.dumps(claims)[:-1] + ', "sub": "user_other"}'),
        "a JWE": ".".join(["A" * 40] * 5),
        "deep body": raw("[" * 2500 + "]" * 2500),
    }


def inactive(signer, org):
    """Valid tokens with no organization or with another one, which get 403."""
    c = lambda **changes: signer.token(org, **changes)
    return {
        "no organization": c(o=...),
        "o null": c(o=None),
        "o empty": c(o={}),
        "o without id": c(o={"rol": "admin"}),
        "o a text": c(o=org),
        "o a list": c(o=[org]),
        "o.id empty": c(o={"id": ""}),
        "o.id null": c(o={"id": None}),
        "o.id a number": c(o={"id": 5}),
        "o.id a list": c(o={"id": [org]}),
        "v 1 with o alone": c(v=1),
        "no v with o alone": c(v=...),
        "v 2 with org_id alone": c(o=..., org_id=org),
        "v as text with o alone": c(v="2"),
        "v true": c(v=True),
        "org_id empty": c(v=..., o=..., org_id=""),
        "org_id null": c(v=..., o=..., org_id=None),
        "org_id a number": c(v=1, o=..., org_id=5),
        "another": c(o={"id": "org_other"}),
        "in capitals": c(o={"id": org.upper()}),
        "with a space": c(o={"id": org + " "}),
        "a prefix": c(o={"id": org[:-1]}),
        "with a slash": c(o={"id": org + "/"}),
        "v 2.5": c(v=2.5),
        "v 2 in a list": c(v=[2]),
    }
