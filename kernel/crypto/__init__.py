"""Cryptography as pure functions: bytes in, bytes or `BrokenSeal` out.

Nothing here reads a clock, a database, a setting or a file, and nothing here draws entropy of its
own: salts, nonces and secrets come in as arguments. (The library draws what HPKE, ECDSA and
chunked encryption need inside one call.) So every module can be run against published vectors,
and offline, by anyone who doubts the platform.

* `digests`: canonical bytes, labelled hashes, strict readers of text and JSON
* `signing`: signed statements (DSSE) by P-256 keys and passkeys
* `sealing`: the sealed envelope, with `envelope_header`, `sealed_payload` and `recovery_file`
* `threshold`: a secret dealt in shares, and put together again
* `fair_draw`: a draw nobody can steer and everybody can repeat
* `merkle`: the tree of RFC 6962 and its proofs
* `notes`: signed notes, checkpoints and witnesses' cosignatures
* `receipts`: a proof of entry that is checked without us
"""
