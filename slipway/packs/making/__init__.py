"""Making packs: cutting trees into chunks, writing packs and patches. Needs `pyfastcdc`, which game servers do
without."""
