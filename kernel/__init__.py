"""The kernel: what every party must trust for anything else here to count.

Clock, articles, refusals, seals, signatures, the journal and the log. A thing may live here if two
floors need it and it would be the same in a platform that traded something else. Typed ids that
cross floors are at home here; no procedure, no period and no ground of refusal is.

`kernel/` itself and `kernel/crypto/` are vocabulary without a world: they wait for nothing and
store nothing. `kernel/store/` is the part that touches Postgres, disks and the network.
"""
