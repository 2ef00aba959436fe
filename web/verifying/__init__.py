"""Verifying without the platform: pure functions over files, no database and no private key.

Everything here can be read in one sitting and written again from the specification by somebody who
trusts none of it.
"""
