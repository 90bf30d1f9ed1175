"""How the sites of a scenario treat content."""

from insula_simulator import layout
from insula_simulator.cache import Cache
from insula_simulator.content.admission import Doorkeeper
from insula_simulator.content.catalogue import catalogue
from insula_simulator.content.looks import Looks
from insula_simulator.content.purges import purges
from insula_simulator.content.storage import Storage
from insula_simulator.scenario import Disk, Scenario, Site


class Treatment:
    """What all sites share."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.catalogue = catalogue(scenario)
        self.purges = purges(scenario, self.catalogue)

    def looks(self, site: Site, seed: int) -> Looks | None:
        """None where nothing is said of content: then nothing is looked up for a request."""
        scenario, rules = self.scenario, site.cache.admission
        if not (scenario.purges or scenario.traffic.classes or rules):
            return None
        way = layout.rtts(scenario, [site], [scenario.origin])[0, 0] / 2
        doorkeeper = Doorkeeper(rules, seed, site.cache.size) if rules else None
        return Looks(self.catalogue, self.purges, float(way), doorkeeper)


def storage_of(site: Site) -> Storage | None:
    """None where what is kept is at hand at once."""
    ram, disk = site.cache.ram, site.cache.disk
    if ram is None and disk is None:
        return None
    return Storage(Cache(ram.policy, ram.size) if ram else None, disk or Disk())
