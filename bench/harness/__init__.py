"""What every bench needs: a server to measure, load, a database, and the figures of the last saved run."""
