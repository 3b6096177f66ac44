//! Does a stack obey the RFCs? Requirement ledger, wire tests, fuzz targets and their corpora.
