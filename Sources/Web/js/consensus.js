/** The consensus page: what a chunk's acceptors have, and the protocol step by step. */

import { ChunkView } from "./chunk-view.js";
import { ScenarioPlayer } from "./scenario.js";

new ChunkView().start();
void new ScenarioPlayer().start();
