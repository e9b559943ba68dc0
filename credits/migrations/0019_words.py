"""Words beside the books can be erased, and the planner keeps no values of them."""

from django.db import migrations

from credits.sql_files import run_sql_file
from credits.statistics import keep_no_statistics

WORDS = (
    ("credits_creditgrant", ("reference", "reason")),
    ("credits_correction", ("reason",)),
    ("credits_apikey", ("name",)),
    ("credits_integration", ("name",)),
    ("credits_spendinglimit", ("name",)),
    ("credits_exportjob", ("mail_trouble",)),
    ("credits_alertmail", ("trouble",)),
    ("credits_ratecard", ("note",)),
    ("credits_company", ("closing_reason",)),
)


class Migration(migrations.Migration):
    dependencies = [("credits", "0018_mcp")]
    operations = [
        run_sql_file(__file__, "0019_words", restores=("0017_limits",)),
        keep_no_statistics(WORDS),
    ]
