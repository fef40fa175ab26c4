import { greet, type Person } from "./lib";
const people: Person[] = [{ name: "Ada" }, { name: "Grace" }];
console.log(people.map(greet).join("\n"));
