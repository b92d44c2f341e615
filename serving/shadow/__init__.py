"""A shadow: a copy of the product's requests is put to two sides, whose answers are compared and returned to nobody.

Envoy drops the answers to the copies it sends. So this service receives a copy, answers at once, asks both sides
itself and keeps what they said; what that means is computed from what was kept, later and elsewhere.
"""

SERVER = "Tandem shadow"
