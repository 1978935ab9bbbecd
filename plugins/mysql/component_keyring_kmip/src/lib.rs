//! `component_keyring_kmip`, which MySQL loads.
