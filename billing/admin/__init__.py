from billing.admin import allocations, companies, contracts, purchases

__all__ = ["allocations", "companies", "contracts", "purchases"]
