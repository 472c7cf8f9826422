"""Every Airflow process imports the plugin, tasks included: it costs them nothing of ours."""

import json
import subprocess
import sys
from pathlib import Path

PLUGIN = Path(__file__).parents[2] / "plugins" / "palletflow_plugin.py"
AS_A_TASK_DOES = """
import json
import sys
from airflow.sdk.plugins_manager import AirflowPlugin, _load_plugins_from_plugin_directory
before = set(sys.modules)
[plugin], errors = _load_plugins_from_plugin_directory(plugins_folder=sys.argv[1])
assert errors == {} and plugin.name == "palletflow"
imported = sorted(set(sys.modules) - before)
apps = [[app["url_prefix"], type(app["app"]).__name__] for app in plugin.fastapi_apps]
print(json.dumps([imported, apps]))
"""


def test_only_a_web_server_builds_the_application():
    done = subprocess.run(
        [sys.executable, "-c", AS_A_TASK_DOES, str(PLUGIN.parent)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    imported, apps = json.loads(done.stdout.splitlines()[-1])
    assert imported == ["palletflow_plugin"]
    assert apps == [["/palletflow/desk", "Gate"], ["/palletflow/track", "Places"], ["/palletflow", "WithHealth"]]
