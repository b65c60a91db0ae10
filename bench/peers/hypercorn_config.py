"""What hypercorn takes only from a file: else it closes each of the generator's connections after 1,000 requests."""

keep_alive_max_requests = 1_000_000_000
