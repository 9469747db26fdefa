import { childPlaces, placesAt, type Place } from './place.js';

export function variantPlaces(root: Place): Place[] {
  return placesAt(root, 'farm:variants/farm:variant');
}

export function axisPlaces(root: Place): Place[] {
  return placesAt(root, 'farm:variants/farm:axis');
}

export function valuePlaces(axis: Place): Place[] {
  return childPlaces(axis);
}
