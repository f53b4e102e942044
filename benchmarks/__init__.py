"""Plan against plan: Watari beside Watcher and hbal on one synthetic cluster, judged by one neutral rule."""
